"""Lines of a plain or gzip file, with every length bounded before memory is spent.

gzip (RFC 1952) is recognised by its magic bytes, not by the file's name. Other compressions are left out.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from carbonseal_collectors.errors import SourceRefused
from carbonseal_collectors.plain_text import as_plain_text

_GZIP_MAGIC: Final = b"\x1f\x8b"


class FileBytes:
    """A whole file, read once, so that what is hashed is what is parsed.

    Args:
        path: the file.
        max_bytes: size limit of the file as stored.

    Raises:
        SourceRefused: unreadable or too large.
    """

    def __init__(self, path: Path, *, max_bytes: int) -> None:
        self.name = as_plain_text(path.name, 255)  # a name on disk may be any bytes
        try:
            with path.open("rb") as file:
                self._data = file.read(max_bytes + 1)
        except OSError as exc:
            raise SourceRefused(
                self.name, f"cannot be read ({exc.strerror or exc})", "check the file's permissions"
            ) from exc
        if len(self._data) > max_bytes:
            raise SourceRefused(
                self.name, f"is larger than {max_bytes} bytes", "split it or raise max_file_bytes"
            )
        self.size = len(self._data)
        self.digest = hashlib.sha256(self._data).digest()

    def lines(self, *, max_line_bytes: int, max_plain_bytes: int) -> Iterator[tuple[int, bytes | None, bool]]:
        """Yields (line number from 1, line without its end or None when it is too long, has an end).

        Raises:
            SourceRefused: broken compression, or more than `max_plain_bytes` after decompression.
        """
        stream: io.BufferedIOBase = io.BytesIO(self._data)
        if self._data.startswith(_GZIP_MAGIC):
            stream = gzip.GzipFile(fileobj=stream, mode="rb")
        plain_bytes, number = 0, 0
        try:
            while piece := stream.readline(max_line_bytes + 2):
                number += 1
                plain_bytes += len(piece)
                is_long = len(piece.rstrip(b"\r\n")) > max_line_bytes
                while not piece.endswith(b"\n") and (more := stream.readline(1 << 16)):
                    is_long = True
                    plain_bytes += len(more)
                    piece = more
                    self._check_plain(plain_bytes, max_plain_bytes)
                self._check_plain(plain_bytes, max_plain_bytes)
                yield number, None if is_long else piece.rstrip(b"\r\n"), piece.endswith(b"\n")
        except (OSError, EOFError, zlib.error) as exc:
            raise SourceRefused(
                self.name,
                f"line {number + 1}: compression is broken or cut off ({exc})",
                "deliver the file again",
            ) from exc

    def _check_plain(self, plain_bytes: int, limit: int) -> None:
        if plain_bytes > limit:
            raise SourceRefused(
                self.name,
                f"holds more than {limit} bytes once decompressed",
                "split it or raise max_plain_bytes",
            )
