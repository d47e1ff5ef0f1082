"""Finds the typeface with Chinese characters and registers it with reportlab, which embeds a subset.

The typeface is Noto Sans SC (OFL), as TTF: `CARBONSEAL_FONT` names a TTF file or a folder with the
family; otherwise the project's `node_modules` is searched upwards from this file and from the working
folder. Nothing is downloaded.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFError, TTFont

from carbonseal_api.problems import FontMissing

FAMILY: Final = "node_modules/@expo-google-fonts/noto-sans-sc"
REGULAR: Final = "NotoSansSC_400Regular.ttf"
BOLD: Final = "NotoSansSC_700Bold.ttf"
ENVIRONMENT: Final = "CARBONSEAL_FONT"


@dataclass(frozen=True, slots=True)
class FontFiles:
    """The files of the typeface; both may be the same file."""

    regular: Path
    bold: Path


def find_fonts() -> FontFiles:
    """Return the files of the typeface.

    Raises:
        FontMissing: `CARBONSEAL_FONT` names nothing usable, or no family is found.
    """
    named = os.environ.get(ENVIRONMENT)
    if named:
        found = _in_folder(Path(named)) if Path(named).is_dir() else _single(Path(named))
        if found is None:
            raise FontMissing(
                ENVIRONMENT,
                "names no Noto Sans SC file or folder",
                "point it at a .ttf file, or unset it and run `make setup`",
            )
        return found
    for folder in _search_folders():
        found = _in_folder(folder / FAMILY)
        if found is not None:
            return found
    raise FontMissing(
        "font",
        "Noto Sans SC is not installed, and the PDF would lack its Chinese text",
        f"run `make setup`, or set {ENVIRONMENT} to a TTF file with Chinese characters",
    )


def register_fonts() -> tuple[str, str]:
    """Register the typeface with reportlab and return the names of its regular and bold cuts.

    Raises:
        FontMissing: No usable typeface is found.
    """
    files = find_fonts()
    names = ("CarbonsealSans", "CarbonsealSans-Bold")
    for name, path in zip(names, (files.regular, files.bold), strict=True):
        try:
            pdfmetrics.registerFont(TTFont(name, str(path)))
        except (TTFError, OSError) as problem:
            raise FontMissing(
                ENVIRONMENT,
                f"{path.name} cannot be read as TrueType",
                "use a .ttf file with TrueType outlines",
            ) from problem
    pdfmetrics.registerFontFamily(
        names[0], normal=names[0], bold=names[1], italic=names[0], boldItalic=names[1]
    )
    return names


def _search_folders() -> Iterator[Path]:
    yield from Path(__file__).resolve().parents
    working = Path.cwd()
    yield working
    yield from working.parents


def _in_folder(folder: Path) -> FontFiles | None:
    regular = folder / "400Regular" / REGULAR
    bold = folder / "700Bold" / BOLD
    if regular.is_file() and bold.is_file():
        return FontFiles(regular, bold)
    return None


def _single(path: Path) -> FontFiles | None:
    return FontFiles(path, path) if path.is_file() and path.suffix.lower() == ".ttf" else None
