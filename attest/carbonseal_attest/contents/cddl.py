"""The registry of kinds as CDDL (RFC 8610), written from the very schemas that check contents.

`python -m carbonseal_attest.contents.cddl` prints `docs/spec/statement-kinds.cddl`. What CDDL can't say
(plain text, limits in characters, rules between fields) stands above it as a comment: what fails the CDDL
fails the schema, and what passes it may still break such a rule.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from carbonseal_attest.contents import KINDS, SALT_SIZE, Kind
from carbonseal_attest.contents import schema as s

_WIDTH: Final = 100  # columns of a comment
_TITLE: Final = """\
; Contents of statements, by kind: docs/spec/contents.md says what they mean.
; Written by `python -m carbonseal_attest.contents.cddl` from the schemas that check contents; not edited.
; CBOR is deterministic (RFC 8949 section 4.2.1). A comment holds like the type beside it.
"""
_WRITTEN_OUT: Final = 4  # items


class _Writer:
    """Writes types, and collects the rules to which they refer."""

    def __init__(self) -> None:
        self.rules: dict[str, str] = {}

    def rule(self, name: str, schema: s.Schema) -> None:
        """Add the rule `name`, once; the rules that it needs come after it."""
        if name not in self.rules:
            self.rules[name] = ""  # keeps its place
            self.rules[name] = f"{_comment(_notes(schema))}{name} = {self.type(schema)}\n"

    def type(self, schema: s.Schema, indent: str = "") -> str:
        """Return `schema` as a type; a nested map is indented by two more than `indent`."""
        match schema:
            case s.Leaf(name, cddl, says):
                if cddl:
                    self.rules[name] = f"{_comment([says])}{name} = {cddl}\n"
                return name
            case s.Text(limit):
                # One code point is at most four bytes of UTF-8, and .size counts bytes.
                says = _comment([f"plain, at most {limit} code points"])
                self.rules[f"text-{limit}"] = f"{says}text-{limit} = tstr .size (0..{4 * limit})\n"
                return f"text-{limit}"
            case s.whole:
                return "int"
            case s.Integer(low, high):
                return f"{low}..{high}" if low >= 0 else f"(int .ge {low}) .and (int .le {high})"
            case s.Octets(low, high):
                return f"bstr .size {low}" if high in {None, low} else f"bstr .size ({low}..{high})"
            case s.OneOf(values):
                return " / ".join(f'"{v}"' if isinstance(v, str) else str(v) for v in values)
            case s.Nullable(inner):
                return f"null / {self.type(inner, indent)}"
            case s.Column(limit):
                return f"[{schema.least}*{limit} (int / null)]"
            case s.Array(item, limit):
                group = self._grouped(item, indent)
                # An exact count of a name is written out: validators err on it where the name is a choice.
                if schema.least == limit <= _WRITTEN_OUT and group.replace("-", "").isalnum():
                    return f"[{', '.join([group] * limit)}]"
                return f"[{schema.least}*{limit} {group}]"
            case s.Row(items):
                return f"[{', '.join(self._grouped(item, indent) for item in items.values())}]"
            case s.Record():
                return "{\n" + "".join(self._fields(schema, indent + "  ")) + indent + "}"
            case s.Table(item, limit):
                return f"{{0*{limit} tstr => {self._grouped(item, indent)}}}"
            case s.Either(choices):
                return " / ".join(self.type(choice, indent) for choice in choices)
            case s.Shared(name, inner):
                self.rule(name, inner)
                return name
            case s.Where(inner):
                return self.type(inner, indent)
            case _:
                raise TypeError(f"{schema!r} has no CDDL")

    def _grouped(self, schema: s.Schema, indent: str) -> str:
        text = self.type(schema, indent)
        return f"({text})" if isinstance(schema, (s.Nullable, s.Either, s.OneOf)) else text

    def _fields(self, schema: s.Record, indent: str) -> Iterator[str]:
        for name, field in schema.known.items():
            mark = "? " if name in schema.optional else ""
            yield f'{_comment(_notes(field), indent)}{indent}{mark}"{name}": {self.type(field, indent)},\n'


def _notes(schema: s.Schema) -> list[str]:
    """What CDDL can't say of a field, down to where the next field or rule begins."""
    match schema:
        case s.Where(inner, _, says):
            return [says, *_notes(inner)]
        case s.Nullable(inner) | s.Array(inner):
            return _notes(inner)
        case s.Row(items):
            return [f"in order: {', '.join(items)}"]
        case s.Table(inner):
            return [f"keys are plain, at most {s.MAX_KEY} code points", *_notes(inner)]
        case _:
            return []


def _comment(notes: Sequence[str], indent: str = "") -> str:
    lines = (
        textwrap.wrap(note, _WIDTH, initial_indent=f"{indent}; ", subsequent_indent=f"{indent};   ")
        for note in notes
    )
    return "".join(f"{line}\n" for wrapped in lines for line in wrapped)


def content_rules(kind: Kind) -> Mapping[str, str]:
    """Return the rules by name for contents of `kind`; the first one, `content-KIND`, is the whole."""
    writer = _Writer()
    writer.rule(f"content-{kind.name}", _content(kind))
    return writer.rules


def _content(kind: Kind) -> s.Schema:
    body = kind.schema
    return s.record(
        {
            "kind": s.one_of(kind.name),
            "version": s.one_of_integers(kind.version),
            "subject": s.code,
            "stream": s.name,
            "interval": s.interval if kind.has_interval else s.null,
            "salt": s.octets(0 if kind.is_public else SALT_SIZE),
            "body": body if isinstance(body, s.Shared) else s.shared(f"{kind.name}-body", body),
        }
    )


def write(kinds: Mapping[str, Kind] = KINDS) -> str:
    """Return the CDDL of all `kinds`: one rule for any content, one a kind, then what they share."""
    writer = _Writer()
    for kind in kinds.values():
        writer.rule(f"content-{kind.name}", _content(kind))
    any_content = "\ncontent = " + "\n        / ".join(f"content-{name}" for name in kinds) + "\n"
    own = {f"content-{name}" for name in kinds} | {f"{name}-body" for name in kinds}
    first = [rule for name, rule in writer.rules.items() if name in own]
    shared = [rule for name, rule in sorted(writer.rules.items()) if name not in own]
    return "\n".join([_TITLE + any_content, *first, "; What several kinds share\n", *shared])


if __name__ == "__main__":
    sys.stdout.write(write())
