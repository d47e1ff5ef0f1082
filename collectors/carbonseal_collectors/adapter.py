"""The adapter contract: what a source of readings hands over, and how adapters are found.

An adapter is a class registered under the entry point group `carbonseal.adapters`; ours are registered
exactly like anybody's. It hands over samples as they came: it never drops, fills or reorders; a bad point
never stops the others; an error becomes a sample of bad quality or a set-aside row, never a missing
silence. What it cannot say is left to `batching`, which compares samples with the expected grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from importlib.metadata import entry_points
from typing import ClassVar, Final, NamedTuple, Protocol, Self

from carbonseal_collectors.errors import AdapterUnknown, SourceRefused
from carbonseal_collectors.gateway_config import GatewayConfig, SourceConfig

ENTRY_POINT_GROUP: Final = "carbonseal.adapters"
GOOD: Final = "good"
UNCERTAIN: Final = "uncertain"
BAD: Final = "bad"


class Sample(NamedTuple):
    """One figure as its source gave it, scaled to its unit and otherwise untouched.

    Attributes:
        at: milliseconds since 1970 UTC; the **start** of the slot for interval forms, the instant
            otherwise.
        width_ms: length of the slot for interval forms, else 0.
        value: exact, or None where the source gave none.
        quality: good, uncertain or bad.
        source_status: the source's own word, empty when it had none to say.
    """

    meter: str
    point: str
    at: int
    width_ms: int
    value: Decimal | None
    unit: str
    form: str
    quality: str = GOOD
    source_status: str = ""


@dataclass(frozen=True, slots=True)
class SetAside:
    """A row that could not become a sample: where it stood and why, and which slots it may have been.

    Attributes:
        meter: code, or None when the row does not tell.
        points: the points it would have given; empty means all of the meter.
        after, before: the row stood between these instants (milliseconds), None where there was no
            neighbour.
    """

    file: str
    line: int
    reason: str
    text: str
    meter: str | None = None
    points: tuple[str, ...] = ()
    after: int | None = None
    before: int | None = None


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that a poll has read whole: its name, size and SHA-256, so that it is not read again."""

    name: str
    size: int
    digest: bytes
    rows: int


@dataclass(slots=True)
class Poll:
    """Everything one poll of one source brought.

    Attributes:
        samples: in the source's own order.
        set_aside: rows that became no sample.
        files: files read whole.
        refused: files or devices that could not be read at all; the others went on.
        unreachable: where nobody answered, as an address for people; empty when somebody did.
    """

    samples: list[Sample] = field(default_factory=list)
    set_aside: list[SetAside] = field(default_factory=list)
    files: list[SourceFile] = field(default_factory=list)
    refused: list[SourceRefused] = field(default_factory=list)
    unreachable: str = ""


class Adapter(Protocol):
    """What a class under `carbonseal.adapters` offers."""

    #: True when the source can be read again after a crash (files); its samples then need no journal.
    is_replayable: ClassVar[bool]

    @classmethod
    def from_config(cls, source: SourceConfig) -> Self:
        """An adapter for `source`. Reads its own tables strictly and does no network or data access.

        Raises:
            CollectorError: naming file, key path and remedy.
        """
        ...

    def poll(self, now: int, *, known: Sequence[bytes] = ()) -> Poll:
        """Everything new at `now` (milliseconds). Files whose digest is in `known` are passed over."""
        ...

    def close(self) -> None:
        """Lets go of connections."""
        ...


def open_adapter(source: SourceConfig) -> Adapter:
    """The adapter that `source` names, made from its configuration.

    Raises:
        AdapterUnknown: no installed package registers it.
        CollectorError: its configuration is refused.
    """
    known = {entry.name: entry for entry in entry_points(group=ENTRY_POINT_GROUP)}
    if source.adapter not in known:
        raise AdapterUnknown(
            source.place("adapter"),
            f"no installed package has the adapter {source.adapter!r}",
            f"use one of {', '.join(sorted(known))}, or install the package that registers it",
        )
    adapter_class: type[Adapter] = known[source.adapter].load()
    return adapter_class.from_config(source)


def open_adapters(config: GatewayConfig) -> dict[str, Adapter]:
    """The adapters of every source, by source id; raises what `open_adapter` raises."""
    return {source.id: open_adapter(source) for source in config.sources}
