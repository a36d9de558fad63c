"""The colours by which the live page and the report tell things apart, as people see them who lack
one kind of cone."""

import itertools
import re

import pytest

from conftest import ROOT

# From linear RGB to what is seen (Machado, Oliveira, Fernandes 2009, severity 1).
SIGHT = {
    "all cones": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216),
                   (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413),
                     (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602),
                   (0.004733, 0.691367, 0.303900)),
}
ROLES = ("train", "val", "born", "kept", "culled", "wait", "bad")
FILES = ("src/esper/services/records/report/style.css", "src/esper/services/nissa/page/page.css")


def linear(colour):
    parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    return [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]


def lab(colour, sight):
    """CIE L*a*b* of what is seen."""
    rgb = linear(colour)
    r, g, b = (min(1, max(0, sum(f * c for f, c in zip(row, rgb)))) for row in SIGHT[sight])
    xyz = ((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.95047,
           0.2126 * r + 0.7152 * g + 0.0722 * b,
           (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.08883)
    x, y, z = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def schemes(path):
    """The colours of each scheme in a style sheet: {role: colour}."""
    blocks = [dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", block))
              for block in re.findall(r"\{([^{}]*--ground:[^{}]*)\}", (ROOT / path).read_text())]
    return [{role: block[role] for role in ROLES} for block in blocks]


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("path", FILES)
def test_what_a_colour_says_is_told_apart_by_everybody(path, sight):
    """A difference of 2.3 is just seen side by side; thin lines need several times that."""
    found = schemes(path)
    assert len(found) == 2  # by day and by night
    for colours in found:
        for one, other in itertools.combinations(ROLES, 2):
            apart = sum((p - q) ** 2 for p, q in zip(lab(colours[one], sight),
                                                     lab(colours[other], sight))) ** 0.5
            assert apart >= 12, (one, other)


def test_the_page_has_the_colours_of_the_report():
    day, night = schemes(FILES[0])
    assert schemes(FILES[1]) == [night, day]
