"""The JSON view of a value: exact and reversible, for whoever reads contents and headers without CBOR.

It has no standard of its own; it is JSON (RFC 8259) within I-JSON's integers (RFC 7493). Text, booleans,
null, arrays, integers within ±(2^53 - 1) and maps of text keys are themselves. What JSON cannot hold stands
in an object of one member: `{"$bytes": hex}`, `{"$integer": decimal}`, and `{"$map": [[key, value], …]}` for
a map with a key that is no text or begins with `$`. Each value has one view and each view one value; a float
is no view of anything. `docs/spec/json-view.md` is the normative text. What is signed is the CBOR, never the
view.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from carbonseal_attest import cbor
from carbonseal_attest.errors import EncodingError

MAX_JSON_INTEGER: Final = (1 << 53) - 1  # beyond it, readers that count in doubles see another number
MAX_VIEW: Final = 8 * cbor.MAX_SIZE  # characters of a view as text; bytes double in hex, and quotes are added
_BYTES, _INTEGER, _MAP = "$bytes", "$integer", "$map"
_HEX: Final = re.compile(r"(?:[0-9a-f]{2})*")
_DECIMAL: Final = re.compile(r"-?[1-9][0-9]{15,19}")  # 2^53 has 16 digits, 2^64 has 20


def to_json_view(value: Any) -> Any:
    """Return the view of `value`, made of what the json module writes.

    Raises:
        EncodingError: no value of our CBOR.
    """
    cbor.encode(value)  # the admitted types, integers, keys and depth are decided in one place
    return _viewed(value)


def from_json_view(view: Any) -> Any:
    """Return the value of which `view` is the view.

    Raises:
        EncodingError: no view of a value, or not its one view; floats always.
    """
    value = _read(view, cbor.MAX_DEPTH)
    cbor.encode(value)
    return value


def write_json_view(value: Any) -> str:
    """Return the view of `value` as JSON on one line, members in the order of the CBOR."""
    return json.dumps(to_json_view(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def read_json_view(text: str) -> Any:
    """Return the value of which `text` writes the view; white space and the order of members are free.

    Raises:
        EncodingError: too long, no JSON, a member twice, or no view of a value.
    """
    if len(text) > MAX_VIEW:
        raise _refusal(f"{len(text)} characters, and at most {MAX_VIEW} are read")
    try:
        view = json.loads(
            text, object_pairs_hook=_object, parse_float=_refuse_number, parse_constant=_refuse_number
        )
    except (ValueError, RecursionError) as error:
        raise _refusal("not JSON within limits") from error
    return from_json_view(view)


def _viewed(value: Any) -> Any:
    kind = type(value)
    if kind is bytes:
        return {_BYTES: value.hex()}
    if kind is int and not -MAX_JSON_INTEGER <= value <= MAX_JSON_INTEGER:
        return {_INTEGER: str(value)}
    if kind is list:
        return [_viewed(item) for item in value]
    if kind is dict:
        keys = cbor.keys_in_order(value)
        if all(type(key) is str and not key.startswith("$") for key in keys):
            return {key: _viewed(value[key]) for key in keys}
        return {_MAP: [[_viewed(key), _viewed(value[key])] for key in keys]}
    return value


def _read(view: Any, depth: int) -> Any:
    kind = type(view)
    if kind is str or kind is bool or view is None:
        return view
    if kind is int:
        if not -MAX_JSON_INTEGER <= view <= MAX_JSON_INTEGER:
            raise _refusal("an integer beyond 2^53 - 1 that is not a $integer")
        return view
    if kind is dict and len(view) == 1:
        ((name, inner),) = view.items()
        if name == _BYTES:
            return _bytes(inner)
        if name == _INTEGER:
            return _integer(inner)
    if depth == 0 and kind in (list, dict):
        raise _refusal("nested too deeply")
    if kind is list:
        return [_read(item, depth - 1) for item in view]
    if kind is not dict:
        raise _refusal(f"holds a {kind.__name__}")
    if view.keys() == {_MAP}:
        return _map(view[_MAP], depth)
    if not all(type(name) is str and not name.startswith("$") for name in view):
        raise _refusal("a name with $ that means nothing here")
    return {name: _read(item, depth - 1) for name, item in view.items()}


def _bytes(inner: Any) -> bytes:
    if type(inner) is not str or not _HEX.fullmatch(inner):
        raise _refusal("$bytes is not hex in lower case")
    return bytes.fromhex(inner)


def _integer(inner: Any) -> int:
    if type(inner) is str and _DECIMAL.fullmatch(inner) and abs(int(inner)) > MAX_JSON_INTEGER:
        return int(inner)
    raise _refusal("$integer is not a decimal integer beyond 2^53 - 1")


def _map(inner: Any, depth: int) -> dict[Any, Any]:
    if type(inner) is not list or not all(type(pair) is list and len(pair) == 2 for pair in inner):
        raise _refusal("$map is not a list of pairs")
    keys = [_read(key, 0) for key, _ in inner]
    if not {type(key) for key in keys} <= {int, str}:
        raise _refusal("a key in $map is neither integer nor text")
    if all(type(key) is str and not key.startswith("$") for key in keys):
        raise _refusal("a $map that could be an object")
    value = {key: _read(item, depth - 1) for key, (_, item) in zip(keys, inner, strict=True)}
    if cbor.keys_in_order(value) != keys:
        raise _refusal("keys in $map are doubled or out of order")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _refusal("a member twice")
    return members


def _refuse_number(_: str) -> Any:
    raise _refusal("holds a number that is no integer")


def _refusal(reason: str) -> EncodingError:
    return EncodingError("JSON view", reason, "write the value as docs/spec/json-view.md has it")
