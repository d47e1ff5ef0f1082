"""The wire form of batches: a CBOR sequence of [statement, content or null] in, a CBOR array of outcomes out.

Only the outer frame is read here; statements and contents stay bytes and are judged by the ledger.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, Final

import cbor2

from carbonseal_api.problems import BodyTooLarge, RequestInvalid
from carbonseal_attest import cbor
from carbonseal_ledger.outcomes import Outcome, Submission

_REMEDY: Final = "send a CBOR sequence of [statement bstr, content bstr or null]"
_FRAME_DEPTH: Final = 2


def decode_batch(body: bytes, *, max_items: int) -> list[Submission]:
    """Return the items of a batch, in order.

    Raises:
        RequestInvalid: Not such a sequence; the field names the item.
        BodyTooLarge: More items than are taken at once.
    """
    stream = io.BytesIO(body)
    decoder = cbor2.CBORDecoder(stream, max_depth=_FRAME_DEPTH, read_size=1)
    items: list[Submission] = []
    while stream.tell() < len(body):
        if len(items) == max_items:
            raise BodyTooLarge("batch", f"holds more than {max_items} items", "send it in smaller parts")
        place = f"batch[{len(items)}]"
        try:
            item = decoder.decode()
        except Exception as problem:  # the decoder's errors have no common root; all mean bad input
            raise RequestInvalid(place, "is not CBOR", _REMEDY) from problem
        items.append(_submission(item, place))
    if not items:
        raise RequestInvalid("batch", "is empty", _REMEDY)
    return items


def decode_single(body: bytes) -> Submission:
    """Return the one [statement, content or null] of a body.

    Raises:
        RequestInvalid: Not such a pair.
    """
    stream = io.BytesIO(body)
    try:
        item = cbor2.CBORDecoder(stream, max_depth=_FRAME_DEPTH, read_size=1).decode()
    except Exception as problem:  # see decode_batch
        raise RequestInvalid("body", "is not CBOR", _REMEDY) from problem
    if stream.tell() != len(body):
        raise RequestInvalid("body", "has more behind its one item", _REMEDY)
    return _submission(item, "body")


def decode_digests(body: bytes, *, max_items: int) -> list[bytes]:
    """Return the statement digests of a CBOR array.

    Raises:
        RequestInvalid: Not an array of 32-byte strings.
        BodyTooLarge: More than are answered at once.
    """
    try:
        digests = cbor2.loads(body, max_depth=_FRAME_DEPTH)
    except Exception as problem:  # see decode_batch
        raise RequestInvalid("body", "is not CBOR", "send an array of digests") from problem
    if not isinstance(digests, list) or not all(isinstance(one, bytes) and len(one) == 32 for one in digests):
        raise RequestInvalid("body", "is not an array of 32-byte digests", "send an array of digests")
    if len(digests) > max_items:
        raise BodyTooLarge("body", f"holds more than {max_items} digests", "send it in smaller parts")
    return digests


def encode_outcomes(outcomes: Sequence[Outcome]) -> bytes:
    """Return the answer to a batch: one map an item, in order."""
    return cbor.encode([outcome_body(outcome) for outcome in outcomes])


def outcome_body(outcome: Outcome) -> dict[str, Any]:
    """Return one outcome as a CBOR map with text keys; the digest is a byte string."""
    problem = outcome.problem
    return {
        "status": str(outcome.status),
        "index": outcome.index,
        "digest": outcome.digest,
        "lateness": None if outcome.lateness is None else str(outcome.lateness),
        "problem": None
        if problem is None
        else {
            "code": problem.code,
            "field": problem.field,
            "reason": problem.reason,
            "remedy": problem.remedy,
            "retry_after_s": problem.retry_after_s,
        },
    }


def _submission(item: Any, place: str) -> Submission:
    match item:
        case [bytes(statement), None]:
            return Submission(statement, None)
        case [bytes(statement), bytes(content)]:
            return Submission(statement, content)
        case _:
            raise RequestInvalid(place, "is not a pair of statement and content", _REMEDY)
