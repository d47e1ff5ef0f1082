"""The media types that files of evidence may have, and whether bytes are what is stated of them.

Bills and laboratory reports come as PDF, tables or scans, photos as JPEG or PNG. The bytes are looked at,
never changed: no metadata is stripped and nothing broken is repaired. This finds mistakes and plain lies; it
is no virus scanner, and a file is only ever offered as a download.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from carbonseal_api.evidence.errors import FileRefused, MediaTypeContradicted
from carbonseal_api.problems import MediaTypeRefused
from carbonseal_attest.identifiers import is_plain_text

XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MAX_NAME: Final = 120  # characters
_CSV_READ: Final = 1 << 20  # bytes at the head of a CSV file that are looked at
_NO_TEXT: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_FORBIDDEN: Final = re.compile(r'[/\\:*?"<>|]')


def _is_pdf(data: bytes) -> bool:
    return data.startswith(b"%PDF-")


def _is_png(data: bytes) -> bool:
    return data.startswith(b"\x89PNG\r\n\x1a\n") and data[12:16] == b"IHDR"


def _is_jpeg(data: bytes) -> bool:
    return data.startswith(b"\xff\xd8\xff")


def _is_xlsx(data: bytes) -> bool:
    # Names of members stand plainly in the archive: nothing is unpacked. With macros it is another type.
    is_archive = data.startswith(b"PK\x03\x04") and b"PK\x01\x02" in data and b"[Content_Types].xml" in data
    return is_archive and b"xl/workbook.xml" in data and b"xl/vbaProject.bin" not in data


def _is_csv(data: bytes) -> bool:
    head = data[:_CSV_READ]
    if _NO_TEXT.search(head) or head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"<", b"%PDF-", b"{\\rtf")):
        return False
    return any(_decodes(head, encoding) for encoding in ("utf-8", "gb18030"))


def _decodes(head: bytes, encoding: str) -> bool:
    # The head may end within a character.
    for end in range(len(head), max(len(head) - 4, 0), -1):
        try:
            head[:end].decode(encoding)
        except UnicodeDecodeError:
            continue
        return True
    return False


TAKEN: Final[Mapping[str, Callable[[bytes], bool]]] = {
    "application/pdf": _is_pdf,
    "image/png": _is_png,
    "image/jpeg": _is_jpeg,
    "text/csv": _is_csv,
    XLSX: _is_xlsx,
}
BY_SUFFIX: Final[Mapping[str, str]] = {
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".csv": "text/csv",
    ".xlsx": XLSX,
}


def check_media_type(data: bytes, stated: str) -> None:
    """Refuse bytes that are not of the media type `stated`.

    Raises:
        MediaTypeRefused: no type that evidence comes in.
        MediaTypeContradicted: the bytes are something else.
    """
    looks_right = TAKEN.get(stated)
    if looks_right is None:
        raise MediaTypeRefused("content-type", f"{stated[:80]!r} is not taken here", f"send {_choices()}")
    if not looks_right(data):
        found = next((name for name, test in TAKEN.items() if name != "text/csv" and test(data)), None)
        seen = "are none" if found is None else f"are {found}"
        raise MediaTypeContradicted(
            "content-type", f"says {stated}, but the bytes {seen}", "state the type that the file really has"
        )


def check_file_name(name: str, *, field: str = "name") -> str:
    """Return `name` if it is a plain file name: no folder, nothing invisible, nothing a system treats apart.

    Raises:
        FileRefused: it is not.
    """
    is_misread = not name.strip(". ") or name != name.strip() or name.startswith(".")
    if is_misread or len(name) > MAX_NAME or _FORBIDDEN.search(name) or not is_plain_text(name):
        remedy = f"write at most {MAX_NAME} plain characters without folders, such as bill-2026-01.pdf"
        raise FileRefused(field, f"{name[:40]!r} is not a plain file name", remedy)
    return name


def type_of_name(name: str) -> str:
    """Return the media type that a file's suffix stands for.

    Raises:
        MediaTypeRefused: the suffix is none that evidence comes in.
    """
    suffix = "." + name.rpartition(".")[2].lower()
    if suffix not in BY_SUFFIX:
        raise MediaTypeRefused(
            "FILE", f"{name[:40]!r} has no known suffix", f"name it {', '.join(BY_SUFFIX)}"
        )
    return BY_SUFFIX[suffix]


def _choices() -> str:
    return ", ".join(TAKEN)
