"""Makes docs/screenshots from the pictures that the browser tests took: cropped, few colours, small.

usage: .venv/bin/python -m pytest tests/end_to_end/test_users.py --basetemp FOLDER
       .venv/bin/python infra/develop/screenshots.py FOLDER/users0
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

PAGES = {
    "enterprise-home": "enterprise",
    "verification_body-home": "verification-body",
    "bank-grade": "bank",
    "regulator-home": "regulator",
    "public-home": "public",
}
HEIGHT, COLOURS = 1000, 48  # pixels of the page that are shown; enough for text and one green
TARGET = Path(__file__).parents[2] / "docs" / "screenshots"


def main() -> int:
    """Write the pictures; returns 2 when one is missing."""
    folder = Path(sys.argv[1]) if len(sys.argv) == 2 else None
    if folder is None or not folder.is_dir():
        print("give the folder with the pictures of tests/end_to_end/test_users.py", file=sys.stderr)
        return 2
    TARGET.mkdir(exist_ok=True)
    for lang in ("en", "zh"):
        for page, name in PAGES.items():
            picture = Image.open(folder / f"{lang}-{page}.png").convert("RGB")
            shown = picture.crop((0, 0, picture.width, min(picture.height, HEIGHT)))
            small = shown.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
            path = TARGET / f"{name}.{lang}.png"
            small.save(path, optimize=True)
            print(f"{path.relative_to(TARGET.parents[1])}: {path.stat().st_size // 1024} KB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
