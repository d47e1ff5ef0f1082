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

_Place = tuple[int, bytes]  # sequence and statement digest

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
    heads: Callable[[bytes], Mapping[str, _Place]],
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


def _heads(host: LogHost, data_origin: str, kid: bytes) -> dict[str, _Place]:
    return {head.stream: (head.sequence, head.digest) for head in host.stream_heads(data_origin, kid=kid)}


def _check_nothing_disowned(
    keys: DeviceKeys, body: Mapping[str, Any], heads: Callable[[bytes], Mapping[str, _Place]]
) -> None:
    """Refuse a rotation whose last statements lie before what the log holds, or are others.

    The former would turn the data code red, the latter fail every check from then on.
    """
    old = keys.holder(body["device"])
    if body["action"] != "rotate" or old is None:
        return
    named = {place["stream"]: (place["sequence"], place["digest"]) for place in body["last"]}
    remedy = "make the line again at the gateway; where its spool is lost, revoke and enrol another"
    for stream, (sequence, digest) in heads(old.key.kid).items():
        last, held = named.get(stream, (-1, b"")), f"number {sequence} of {stream} by the old key"
        if last[0] < sequence:
            raise _refusal("last", f"the log holds {held}, and the line leaves it out", remedy)
        if last[0] == sequence and last[1] != digest:
            raise _refusal("last", f"the log holds another {held} than the line names", remedy)


def _is_known(keys: DeviceKeys, body: Mapping[str, Any]) -> bool:
    """Whether the register holds this key for this device by this very act, and it still counts.

    Raises:
        IdentityInvalid: it does, and lets the key do something else than the line asks for.
    """
    held = keys.keys.get(PublicKey.from_cose_key(body["key"]).kid)
    if held is None or held.device != body["device"] or held.status not in {"active", "suspended"}:
        return False
    if (held.predecessor is not None) is not (body["action"] == "rotate"):
        return False
    subjects = frozenset({*body["subjects"], body["device"]})
    asked = (body["class"], subjects, body["valid_from"], body["expires"])
    if asked != (held.signer_class, held.subjects, held.valid_from, held.expires):
        raise _refusal(
            "line",
            "the device has this key with another class, other subjects or other times",
            "rotate to a new key that asks for these",
        )
    return True


def _of_the_log(request: Request, outcome: Outcome) -> LineRefused:
    problem = outcome.problem
    if problem is None or problem.code not in _OF_THE_LINE:
        raise StatementRefused(outcome)
    return LineRefused(request.line, request.device, problem.field, problem.reason, problem.remedy)


def _refusal(field: str, reason: str, remedy: str) -> IdentityInvalid:
    return IdentityInvalid(field, reason, remedy)
