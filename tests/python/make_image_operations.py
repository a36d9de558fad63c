"""tests/fixtures/image_operations.json: what Pillow makes of an image by each operation of RandAugment.

    make_image_operations.py [FILE]
"""

import json
import sys
from pathlib import Path

from PIL import Image, ImageEnhance, ImageOps

FIXTURE = Path(__file__).resolve().parent.parent / "fixtures" / "image_operations.json"
WIDTH, HEIGHT = 14, 12
STRENGTHS = (0, 7, 9, 17, 30)


def image():
    """Without symmetry; its darkest byte is not 0 and its lightest not 255."""
    out = Image.new("RGB", (WIDTH, HEIGHT))
    for y in range(HEIGHT):
        for x in range(WIDTH):
            out.putpixel((x, y), tuple(20 + (x * x * 7 + y * 31 + x * y * (c + 3) + c * 57) % 200
                                       for c in range(3)))
    return out


def moved(picture, matrix):
    return picture.transform(picture.size, Image.Transform.AFFINE, matrix, Image.Resampling.NEAREST)


def operation(picture, number, strength, sign):
    """By its number in torchvision's table; the strengths are that table's, of 31."""
    share = strength / 30
    factor = 1 + sign * 0.9 * share
    if number == 1:
        return moved(picture, (1, sign * 0.3 * share, 0, 0, 1, 0))
    if number == 2:
        return moved(picture, (1, 0, 0, sign * 0.3 * share, 1, 0))
    if number == 3:
        return moved(picture, (1, 0, -int(sign * 150 / 331 * WIDTH * share), 0, 1, 0))
    if number == 4:
        return moved(picture, (1, 0, 0, 0, 1, -int(sign * 150 / 331 * HEIGHT * share)))
    if number == 5:
        return picture.rotate(sign * 30 * share, Image.Resampling.NEAREST)
    if number in (6, 7, 8, 9):
        kind = (ImageEnhance.Brightness, ImageEnhance.Color, ImageEnhance.Contrast,
                ImageEnhance.Sharpness)[number - 6]
        return kind(picture).enhance(factor)
    if number == 10:
        return ImageOps.posterize(picture, 8 - round(strength / (30 / 4)))
    if number == 11:
        return ImageOps.solarize(picture, 255 - 255 * share)
    if number == 12:
        return ImageOps.autocontrast(picture)
    if number == 13:
        return ImageOps.equalize(picture)
    return picture


def planes(picture):
    return b"".join(band.tobytes() for band in picture.split()).hex()


def content():
    picture = image()
    cases = [{"operation": number, "magnitude": strength, "negative": sign < 0,
              "pixels": planes(operation(picture, number, strength, sign))}
             for number in range(14) for strength in STRENGTHS for sign in (1, -1)
             if sign > 0 or 1 <= number <= 9]
    return {"width": WIDTH, "height": HEIGHT, "pixels": planes(picture), "cases": cases}


if __name__ == "__main__":
    Path(sys.argv[1] if len(sys.argv) > 1 else FIXTURE).write_text(
        json.dumps(content(), indent=0) + "\n")
