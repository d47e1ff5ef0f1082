"""Takes requests of devices, a file of ten thousand at a time: judged, signed and registered in batches.

Each batch is judged by the very fold that the ledger applies (`carbonseal_attest.identity`), so that what is
signed is not refused, and one bad line keeps no other out. What the register says already is counted as done:
whoever runs the same file again after an interruption goes on where it stopped. Between batches the party's
other acts take their turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from typing import Any, Final

from carbonseal_api.desks import Desks
from carbonseal_api.issuing import StatementRefused
from carbonseal_attest.errors import CarbonsealError, IdentityInvalid
from carbonseal_attest.identity.device_requests import Request
from carbonseal_attest.identity.devices import DeviceKeys
from carbonseal_attest.keys import PublicKey
from carbonseal_ledger.log_host import LogHost
from carbonseal_ledger.outcomes import Outcome, Status

BATCH: Final = 500  # statements a transaction: about a second of the party's desk and of the register's row
_OF_THE_LINE: Final = frozenset({"enrolment-invalid", "content-invalid", "body-too-large"})


@dataclass(frozen=True, slots=True)
class LineRefused:
    """A line that was not taken, and what to do about it."""

    line: int
    device: str
    field: str
    reason: str
    remedy: str

    @classmethod
    def of(cls, request: Request, error: CarbonsealError) -> LineRefused:
        """Return the refusal of a request."""
        return cls(request.line, request.device, error.field, error.reason, error.remedy)

    def to_json(self) -> dict[str, Any]:
        """Return {line, device, field, reason, remedy}."""
        return asdict(self)


@dataclass(slots=True)
class Tally:
    """How far a file has come: lines read, devices taken now, devices taken before, lines refused."""

    read: int = 0
    taken: int = 0
    known: int = 0
    refused: int = 0


def take_requests(
    host: LogHost,
    desks: Desks,
    party: str,
    register_origin: str,
    data_origin: str,
    requests: Iterable[Request],
    *,
    action: str,
    refuse: Callable[[LineRefused], None],
    progress: Callable[[Tally], None],
) -> Tally:
    """Register every request that may be, and return the tally.

    Args:
        host: where the party's register log is.
        desks: opens the party's desk for each batch.
        party: whose devices these are.
        register_origin: of the party's register log.
        data_origin: of its data log; a rotation must not disown what stands there.
        requests: as `read_requests` yields them.
        action: enrol or rotate; a line that asks for the other is refused.
        refuse: called with each refusal as it comes.
        progress: called after each batch.

    Raises:
        PartMissing: the party's key is not here.
        StatementRefused: the log refuses the party itself; what was taken before stays taken.
    """
    tally, waiting = Tally(), iter(requests)
    while batch := list(islice(waiting, BATCH)):
        tally.read += len(batch)
        while batch:
            with desks.desk(party) as desk:
                keys = host.device_keys(party)
                heads = partial(_heads, host, data_origin)
                asked, refusals = _judge(keys, batch, action, tally, heads)
                bodies = [(str(body["device"]), body) for _, body in asked]
                outcomes = desk.issue_many(register_origin, "device", bodies)[1] if bodies else []
            taken = sum(1 for outcome in outcomes if outcome.status is Status.ACCEPTED)
            tally.taken += taken
            batch = []
            if taken < len(asked):
                refusals.append(_of_the_log(asked[taken][0], outcomes[taken]))
                batch = [request for request, _ in asked[taken + 1 :]]
            for refusal in refusals:
                tally.refused += 1
                refuse(refusal)
        progress(tally)
    return tally


def _judge(
    keys: DeviceKeys,
    batch: Iterable[Request],
    action: str,
    tally: Tally,
    heads: Callable[[bytes], Mapping[str, int]],
) -> tuple[list[tuple[Request, Mapping[str, Any]]], list[LineRefused]]:
    """Return what the register lets pass, each after those before it, and what it does not."""
    asked, refusals = [], []
    for number, request in enumerate(batch):
        body = request.body
        try:
            if request.problem is not None or body is None:
                raise request.problem or _refusal("line", "holds nothing", "write a request")
            if body["action"] != action:
                remedy = f"take it with `carbonseal devices {body['action']}`"
                raise _refusal("action", f"asks to {body['action']}", remedy)
            if _is_known(keys, body):
                tally.known += 1
                continue
            keys.check(body["device"], body)
            _check_nothing_disowned(keys, body, heads)
        except CarbonsealError as error:
            refusals.append(LineRefused.of(request, error))
            continue
        keys.apply(number, body)
        asked.append((request, body))
    return asked, refusals


def _heads(host: LogHost, data_origin: str, kid: bytes) -> dict[str, int]:
    return {head.stream: head.sequence for head in host.stream_heads(data_origin, kid=kid)}


def _check_nothing_disowned(
    keys: DeviceKeys, body: Mapping[str, Any], heads: Callable[[bytes], Mapping[str, int]]
) -> None:
    """Refuse a rotation whose last statements lie before what the log holds: that would turn red."""
    old = keys.holder(body["device"])
    if body["action"] != "rotate" or old is None:
        return
    named = {place["stream"]: place["sequence"] for place in body["last"]}
    for stream, sequence in heads(old.key.kid).items():
        if named.get(stream, -1) < sequence:
            raise _refusal(
                "last",
                f"the log holds number {sequence} of {stream} by the old key, and the line leaves it out",
                "make the line again at the gateway; where its spool is lost, revoke and enrol another",
            )


def _is_known(keys: DeviceKeys, body: Mapping[str, Any]) -> bool:
    """Whether the register holds this key for this device by this very act, and it still counts."""
    held = keys.keys.get(PublicKey.from_cose_key(body["key"]).kid)
    if held is None or held.device != body["device"] or held.status not in {"active", "suspended"}:
        return False
    return (held.predecessor is not None) is bool(body["action"] == "rotate")


def _of_the_log(request: Request, outcome: Outcome) -> LineRefused:
    problem = outcome.problem
    if problem is None or problem.code not in _OF_THE_LINE:
        raise StatementRefused(outcome)
    return LineRefused(request.line, request.device, problem.field, problem.reason, problem.remedy)


def _refusal(field: str, reason: str, remedy: str) -> IdentityInvalid:
    return IdentityInvalid(field, reason, remedy)
