"""What a run is told, and what it leaves behind."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from esper import _esper


def load_config(path="", *overrides, profile="", environment=True):
    """A checked `Config` from a YAML file (or the defaults), a profile, the environment and
    overrides like "growth.gate.delta=0.1". Raises `EsperError` naming every problem found."""
    return _esper.load_config(str(path), list(overrides), profile, environment)


class Journal(Sequence):
    """The edits of a run in order, read from `journal.jsonl` (or a run's folder) and verified:
    each entry a dict with step, reason, edit (None for the first) and hashes. Raises `EsperError`
    where a line was changed, removed or added."""

    def __init__(self, path):
        path = Path(path)
        self.path = path / "journal.jsonl" if path.is_dir() else path
        self._entries = _esper.read_journal(str(self.path))

    def __len__(self):
        return len(self._entries)

    def __getitem__(self, index):
        return self._entries[index]

    def __repr__(self):
        return f"<esper.Journal {self.path}: {len(self)} entries>"

    def replay(self):
        """The `Program` that the edits lead to, each step checked against its hash."""
        return _esper.replay_journal(str(self.path))


def executable():
    """The `esper` program that belongs to this package: in it, beside its build folder, or named by
    ESPER_BINARY."""
    here = Path(__file__).resolve().parent
    built = Path(_esper.__file__).parent
    candidates = [os.environ.get("ESPER_BINARY"), here / "bin" / "esper", built / "bin" / "esper",
                  built.parent.parent / "bin" / "esper"]
    for candidate in candidates:
        if candidate and Path(candidate).is_file():
            return Path(candidate)
    raise FileNotFoundError("no esper program beside this package; build it, or name it in "
                            "ESPER_BINARY")


def report(folder, out=None):
    """Writes one self-contained HTML file about a run's folder (`report.html` in it, or `out`) and
    returns its path. Raises `EsperError` where the folder is not a run's, or its files do not fit
    together."""
    file = Path(out) if out is not None else Path(folder) / "report.html"
    _esper.write_report(str(folder), str(file))
    return file


def main():
    """The `esper` command of an installed package."""
    program = executable()
    os.execv(program, [str(program), *sys.argv[1:]])
