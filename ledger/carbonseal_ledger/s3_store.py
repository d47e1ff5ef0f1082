"""An object store in a bucket of S3-compatible storage, through boto3.

Compare-and-set is the storage's own: `If-Match` with the ETag that was read, `If-None-Match: *` for a file
that must not be there (AWS S3, MinIO, Ceph and others answer 412 to the loser). Storage that ignores these
conditions is found out when the store is opened, and refused: with it two writers could fork a log. Objects
carry the media type and `Cache-Control` with which they are to be served. Credentials are boto3's own affair
(environment, profile, instance). It leaves out making buckets and their policies. Needs
`carbonseal-ledger[s3]`.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from carbonseal_ledger.errors import PublicationFailed
from carbonseal_ledger.object_store import (
    ObjectDiffers,
    ObjectMoved,
    StoreFailed,
    serving_headers,
)

_AT_ONCE: Final = 16  # requests that one store has under way for one call
_VERSIONS: Final = 65_536  # ETags of replaced files that are remembered, about 500 bytes each
_REMOVED_AT_ONCE: Final = 1_000  # keys of one DeleteObjects call, as S3 has it
_CONFLICTS: Final = frozenset({409, 412})
_T = TypeVar("_T")
_R = TypeVar("_R")


class S3Store:
    """Files below a prefix of a bucket. Safe for many threads; for several processes by `replace` alone."""

    def __init__(self, client: Any, bucket: str, prefix: str = "") -> None:
        self._client, self._bucket = client, bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._versions: dict[str, tuple[bytes, str]] = {}
        self._guard = threading.Lock()
        self._pool = ThreadPoolExecutor(_AT_ONCE, "s3")

    def __str__(self) -> str:
        return f"s3://{self._bucket}/{self._prefix}"

    def check_conditions(self) -> None:
        """Try whether the storage keeps the two conditions that everything here rests on.

        Raises:
            PublicationFailed: it does not, or cannot be reached or written.
        """
        name = f".conditions/{secrets.token_hex(8)}"
        try:
            first = self._put(name, b"first", IfNoneMatch="*")
            holds = self._is_refused(name, b"second", IfNoneMatch="*") and self._is_refused(
                name, b"second", IfMatch='"00000000000000000000000000000000"'
            )
            holds = holds and not self._is_refused(name, b"second", IfMatch=first)
            self.remove([], [name])
        except OSError as error:
            raise PublicationFailed(
                "published copy", f"{self} cannot be used: {error}", "check address, bucket and credentials"
            ) from error
        if not holds:
            raise PublicationFailed(
                "published copy",
                f"the storage of {self} overlooks If-Match or If-None-Match",
                "use storage that keeps conditional writes, or a folder",
            )

    def lock(self, folder: str) -> AbstractContextManager[None]:
        """As `ObjectStore.lock`: against threads of this process."""
        return self._held(folder)

    @contextlib.contextmanager
    def _held(self, folder: str) -> Iterator[None]:
        with self._guard:
            lock = self._locks[folder]
        with lock:
            yield

    def read(self, name: str) -> bytes | None:
        """As `ObjectStore.read`; remembers the ETag for a later `replace`."""
        found = self._get(name)
        return None if found is None else found[0]

    def read_many(self, names: Sequence[str]) -> list[bytes | None]:
        """As `ObjectStore.read_many`; several side by side."""
        return self._each(self.read, names)

    def create(self, files: Mapping[str, bytes]) -> None:
        """As `ObjectStore.create`; several files go side by side."""
        self._each(self._create, files.items())

    def _create(self, item: tuple[str, bytes]) -> None:
        name, data = item
        try:
            self._put(name, data, IfNoneMatch="*")
        except ObjectMoved as error:
            # There already: of an earlier try, or of another process that publishes the same entries.
            if self.read(name) != data:
                raise ObjectDiffers(name) from error

    def replace(self, name: str, expected: bytes | None, data: bytes) -> None:
        """As `ObjectStore.replace`: by the ETag of the very bytes that are expected."""
        condition = {"IfNoneMatch": "*"}
        if expected is not None:
            condition = {"IfMatch": self._version(name, expected)}
        try:
            version = self._put(name, data, **condition)
        except ObjectMoved:
            # boto3 repeats a request whose answer was lost; then it was we who replaced the file.
            if self.read(name) != data:
                raise
            return
        self._remember(name, data, version)

    def _version(self, name: str, expected: bytes) -> str:
        with self._guard:
            held = self._versions.get(name)
        if held is None or held[0] != expected:
            held = self._get(name)
        if held is None or held[0] != expected:
            raise ObjectMoved(name)
        return held[1]

    def names(self, folder: str) -> list[str]:
        """As `ObjectStore.names`."""
        start = f"{self._prefix}{folder}/"
        return sorted(
            item["Key"].removeprefix(start)
            for page in self._pages(start, delimiter="/")
            for item in page.get("Contents", ())
        )

    def folders_with(self, name: str, skip: str) -> list[str]:
        """As `ObjectStore.folders_with`: one listing a folder, some side by side."""
        found: list[str] = []
        waiting = [""]
        while waiting:
            below: list[str] = []
            for folder, files, folders in self._each(self._listing, waiting):
                if name in files:
                    found.append(folder.rstrip("/"))
                below += [folder + sub for sub in folders if sub != f"{skip}/"]
            waiting = below
        return sorted(found)

    def _listing(self, folder: str) -> tuple[str, set[str], list[str]]:
        start = self._prefix + folder
        pages = list(self._pages(start, delimiter="/"))
        files = {item["Key"].removeprefix(start) for page in pages for item in page.get("Contents", ())}
        folders = [
            item["Prefix"].removeprefix(start) for page in pages for item in page.get("CommonPrefixes", ())
        ]
        return folder, files, folders

    def remove(self, folders: Sequence[str], names: Sequence[str] = ()) -> None:
        """As `ObjectStore.remove`."""
        keys = [self._prefix + name for name in names]
        for folder in folders:
            pages = self._pages(f"{self._prefix}{folder}/")
            keys += [item["Key"] for page in pages for item in page.get("Contents", ())]
        for at in range(0, len(keys), _REMOVED_AT_ONCE):
            objects = [{"Key": key} for key in keys[at : at + _REMOVED_AT_ONCE]]
            wanted = {"Objects": objects, "Quiet": True}
            self._call(self._client.delete_objects, Bucket=self._bucket, Delete=wanted)
        with self._guard:
            for key in keys:
                self._versions.pop(key.removeprefix(self._prefix), None)

    def _get(self, name: str) -> tuple[bytes, str] | None:
        try:
            answer = self._call(self._client.get_object, Bucket=self._bucket, Key=self._prefix + name)
        except FileNotFoundError:
            return None
        try:
            data = answer["Body"].read()
        except (
            Exception
        ) as error:  # a connection that breaks in the body; the parts below have no common root
            raise StoreFailed(f"{self}{name}: {error}") from error
        self._remember(name, data, answer["ETag"])
        return data, answer["ETag"]

    def _put(self, name: str, data: bytes, **condition: str) -> str:
        media_type, caching = serving_headers(name)
        answer = self._call(
            self._client.put_object,
            Bucket=self._bucket,
            Key=self._prefix + name,
            Body=data,
            ContentType=media_type,
            CacheControl=caching,
            **condition,
        )
        return str(answer["ETag"])

    def _is_refused(self, name: str, data: bytes, **condition: str) -> bool:
        try:
            self._put(name, data, **condition)
        except ObjectMoved:
            return True
        return False

    def _remember(self, name: str, data: bytes, version: str) -> None:
        if not name.endswith("/checkpoint"):
            return  # nothing else is ever replaced
        with self._guard:
            if len(self._versions) >= _VERSIONS:
                self._versions.clear()
            self._versions[name] = (data, version)

    def _pages(self, start: str, delimiter: str = "") -> Iterator[Mapping[str, Any]]:
        more: dict[str, str] = {"Delimiter": delimiter} if delimiter else {}
        while True:
            page = self._call(self._client.list_objects_v2, Bucket=self._bucket, Prefix=start, **more)
            yield page
            if not page.get("IsTruncated"):
                return
            more["ContinuationToken"] = page["NextContinuationToken"]

    def _each(self, work: Callable[[_T], _R], items: Iterable[_T]) -> list[_R]:
        listed = list(items)
        if len(listed) == 1:
            return [work(listed[0])]
        return list(self._pool.map(work, listed))

    def _call(self, method: Callable[..., Any], **arguments: Any) -> Any:
        """Call the client; its errors become ours.

        Raises:
            FileNotFoundError: no such file, or no such bucket.
            ObjectMoved: a condition did not hold.
            StoreFailed: anything else.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return method(**arguments)
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            code = error.response.get("Error", {}).get("Code")
            if status in _CONFLICTS:
                raise ObjectMoved(arguments.get("Key", "")) from error
            if code in {"NoSuchKey", "404"}:
                raise FileNotFoundError(arguments.get("Key", "")) from error
            raise StoreFailed(f"{self}: {error}") from error
        except BotoCoreError as error:
            raise StoreFailed(f"{self}: {error}") from error


def open_s3_store(address: str, *, endpoint: str | None = None, region: str | None = None) -> S3Store:
    """Return the store at `s3://bucket/prefix`, tried for the conditions that it must keep.

    Args:
        address: bucket and prefix.
        endpoint: where the storage answers; left out for AWS.
        region: of the bucket; left out where the environment says it or the storage has none.

    Raises:
        PublicationFailed: not such an address, boto3 is not installed, or the storage cannot be used.
    """
    parts = urlsplit(address)
    if parts.scheme != "s3" or not parts.netloc:
        raise PublicationFailed("published copy", f"{address!r} is not s3://bucket/prefix", "write it so")
    try:
        import boto3
        from botocore.config import Config
    except ImportError as error:
        raise PublicationFailed(
            "published copy", "boto3 is not installed", "install carbonseal-ledger[s3]"
        ) from error
    settings = Config(
        retries={"mode": "standard", "max_attempts": 4},
        connect_timeout=5,
        read_timeout=20,
        max_pool_connections=_AT_ONCE * 2,
        s3={"addressing_style": "path" if endpoint else "auto"},
    )
    client = boto3.client("s3", endpoint_url=endpoint, region_name=region, config=settings)
    store = S3Store(client, parts.netloc, parts.path)
    store.check_conditions()
    return store
