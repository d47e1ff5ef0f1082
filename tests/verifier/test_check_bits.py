"""The one-bit test, twice: as the file is, and with digests and trailer mended, when a named step must fail.

A small fixed sample of bits each time; with CARBONSEAL_LONG every byte of the file. Which steps catch a kind
of member is written down here: a bit that some other step catches, or none, is a finding.
"""

from __future__ import annotations

import hashlib
import io
import random
from collections import defaultdict
from collections.abc import Collection
from dataclasses import replace

import pytest
from bundle_factory import EPOCHS, World, caught, honest, reason, to_bytes

from carbonseal_attest import cbor
from carbonseal_attest.bundle import read_members, write_bundle
from carbonseal_attest.bundle_layout import cut
from carbonseal_attest.cosignature import cosign
from carbonseal_attest.errors import BundleInvalid, CarbonsealError
from carbonseal_attest.note import SignedNote
from carbonseal_attest.signing import Ed25519Signer
from carbonseal_attest.vkey import ED25519_COSIGNATURE, Vkey

# Besides `members`, which catches whatever can no longer be read, and for entries and contents `parties`,
# which reads registers before their proofs are checked.
CAUGHT_BY = {
    "subject": {"parties", "cut-off"},
    "logs": {"log-proofs"},
    "entries": {"parties", "signatures"},
    "contents": {"parties", "contents"},
    "log-of-logs": {"parties", "epochs"},
    "maps": {"signatures", "epochs"},
    "anchor": {"anchor"},
    "packages": {"packages"},
    "reports": {"report"},
}
SAMPLE = 40  # bits of each kind of member, and of the file
SEED = 12


@pytest.fixture(scope="module")
def told() -> tuple[World, bytes]:
    """A world whose log of logs a witness cosigned too, and its bundle."""
    world = honest()
    witness = Ed25519Signer.from_seed(hashlib.sha256(b"witness").digest())
    vkey = Vkey("witness.example/w1", ED25519_COSIGNATURE, witness.public)
    bundle = world.bundle()
    note = SignedNote.parse(bundle.log_of_logs_checkpoint.encode())
    bundle.log_of_logs_checkpoint = cosign(note, vkey, witness, time=world.now // 1000).encode().decode()
    bundle.cosigners = (vkey,)
    assert world.check(bundle).has_passed
    return world, to_bytes(bundle)


@pytest.fixture(scope="module")
def members(told: tuple[World, bytes]) -> dict[str, bytes]:
    return dict(read_members(io.BytesIO(told[1])))


def mended(data: bytes) -> bytes:
    """`data` without its trailer, under a right one."""
    return data + cbor.encode(hashlib.sha256(data).digest())


def places(size: int, sample: int, *, is_long: bool) -> list[tuple[int, int]]:
    """Some (byte, bit) of `size` bytes, or every byte with one of its bits."""
    draw = random.Random(SEED)
    chosen = range(size) if is_long else sorted(draw.sample(range(size), min(size, sample)))
    return [(at, draw.randrange(8)) for at in chosen]


def flipped(data: bytes, at: int, bit: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


def sorted_contents(members: dict[str, bytes]) -> dict[str, bytes]:
    """Mend more: contents sorted again by digest, where they can be read at all."""
    try:
        chunks = [cbor.decode(data, max_size=16 << 20) for name, data in members.items() if is_content(name)]
        items = sorted(
            (one for chunk in chunks for one in chunk), key=lambda one: hashlib.sha256(one).digest()
        )
    except (CarbonsealError, TypeError):
        return members
    kept = {name: data for name, data in members.items() if not is_content(name)}
    return kept | {f"contents/{n:06d}": cbor.encode(chunk) for n, chunk in enumerate(cut(items))}


def is_content(name: str) -> bool:
    return name.startswith("contents/")


def flip_as_is(world: World, raw: bytes, *, is_long: bool) -> None:
    for at, bit in places(len(raw), 5 * SAMPLE, is_long=is_long):
        with pytest.raises(BundleInvalid):
            for _ in read_members(io.BytesIO(flipped(raw, at, bit))):
                pass
    for at, bit in places(len(raw), SAMPLE // 4, is_long=False):
        assert caught(world.check(flipped(raw, at, bit))) == "container"


def flip_header_and_manifest(world: World, raw: bytes, members: dict[str, bytes], *, is_long: bool) -> None:
    """Whatever stands before the members, under a mended trailer; its digests are those of the members."""
    size = raw.index(cbor.encode(next(iter(members.values()))))
    for at, bit in places(size, 2 * SAMPLE, is_long=is_long):
        step = caught(world.check(mended(flipped(raw[:-34], at, bit))))
        # A name that still is one reads well, and then no such member exists, or another is missing.
        assert step in {"container", "members", "packages"}, (at, bit)


def flip_members(
    world: World, members: dict[str, bytes], kinds: Collection[str] = CAUGHT_BY, *, is_long: bool
) -> dict[str, set[str]]:
    """Flip bits of some kinds of members under mended digests; return which steps caught them."""
    by_kind: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for name in sorted(members):
        by_kind[name.split("/")[0]] += [(name, at) for at in range(len(members[name]))]
    found: dict[str, set[str]] = {}
    assert by_kind.keys() == CAUGHT_BY.keys()
    for kind in kinds:
        all_places = by_kind[kind]
        steps = found[kind] = set()
        for at, bit in places(len(all_places), SAMPLE, is_long=is_long):
            name, place = all_places[at]
            made = {**members, name: flipped(members[name], place, bit)}
            out = io.BytesIO()
            write_bundle((sorted_contents(made) if kind == "contents" else made).items(), out)
            step = caught(world.check(out.getvalue()))
            assert step in CAUGHT_BY[kind] | {"members"}, (name, place, bit)
            steps.add(step)
    return found


def test_any_flipped_bit_of_the_file_is_caught_as_it_is(told: tuple[World, bytes]) -> None:
    flip_as_is(*told, is_long=False)


def test_bit_of_the_header_or_the_manifest_is_caught_with_the_trailer_mended(
    told: tuple[World, bytes], members: dict[str, bytes]
) -> None:
    flip_header_and_manifest(*told, members, is_long=False)


def test_bit_of_a_member_is_caught_by_its_step_with_digest_and_trailer_mended(
    told: tuple[World, bytes], members: dict[str, bytes]
) -> None:
    found = flip_members(told[0], members, is_long=False)
    # What must be caught by meaning is: the sample would otherwise only show that bytes can be unreadable.
    assert all(found[kind] - {"members"} for kind in found)


@pytest.mark.long
def test_every_byte_of_the_file_is_caught_as_it_is(
    told: tuple[World, bytes], members: dict[str, bytes]
) -> None:
    flip_as_is(*told, is_long=True)
    flip_header_and_manifest(*told, members, is_long=True)


@pytest.mark.long
@pytest.mark.parametrize("kind", CAUGHT_BY)
def test_every_byte_of_a_kind_of_member_is_caught_by_its_steps(
    told: tuple[World, bytes], members: dict[str, bytes], kind: str
) -> None:
    found = flip_members(told[0], members, {kind}, is_long=True)
    assert found[kind] - {"members"} == CAUGHT_BY[kind]


def test_signatures_of_nobody_stated_are_dropped_when_bundling(told: tuple[World, bytes]) -> None:
    world, _ = told
    other = Ed25519Signer.from_seed(hashlib.sha256(b"another").digest())
    vkey = Vkey("witness.example/w2", ED25519_COSIGNATURE, other.public)
    bundle = world.bundle()
    plain = to_bytes(bundle)
    for name in (EPOCHS, *bundle.logs):
        text = bundle.log_of_logs_checkpoint if name == EPOCHS else bundle.logs[name].checkpoint
        note = cosign(SignedNote.parse(text.encode()), vkey, other, time=1).encode().decode()
        if name == EPOCHS:
            bundle.log_of_logs_checkpoint = note
        else:
            bundle.logs[name] = replace(bundle.logs[name], checkpoint=note)
    assert to_bytes(bundle) == plain


def test_catches_a_signature_of_nobody_stated(told: tuple[World, bytes], members: dict[str, bytes]) -> None:
    world, _ = told
    head = cbor.decode(members["log-of-logs"])
    silent = cbor.encode({**head, "cosigners": []})
    out = io.BytesIO()
    write_bundle({**members, "log-of-logs": silent}.items(), out)
    result = world.check(out.getvalue())
    assert caught(result) == "epochs"
    assert "does not state" in reason(result, "epochs")


def test_catches_a_stated_cosigner_that_did_not_sign(told: tuple[World, bytes]) -> None:
    world, _ = told
    bundle = world.bundle()
    other = Ed25519Signer.from_seed(hashlib.sha256(b"another").digest())
    bundle.cosigners = (Vkey("witness.example/w2", ED25519_COSIGNATURE, other.public),)
    result = world.check(bundle)
    assert caught(result) == "epochs"
    assert "lacks the signature" in reason(result, "epochs")


def test_order_in_which_cosignatures_came_changes_no_byte(told: tuple[World, bytes]) -> None:
    world, _ = told
    notes, vkeys = [], []
    for order in (("w1", "w2", "w3"), ("w3", "w1", "w2")):
        note = SignedNote.parse(world.bundle().log_of_logs_checkpoint.encode())
        for name in order:
            witness = Ed25519Signer.from_seed(hashlib.sha256(name.encode()).digest())
            vkeys.append(Vkey(f"witness.example/{name}", ED25519_COSIGNATURE, witness.public))
            note = cosign(note, vkeys[-1], witness, time=7)
        notes.append(note.encode().decode())
    first, second = (
        replace(world.bundle(), log_of_logs_checkpoint=note, cosigners=tuple(some))
        for note, some in zip(notes, (vkeys[:3], vkeys[3:]), strict=True)
    )
    assert notes[0] != notes[1]
    assert to_bytes(first) == to_bytes(second)
    assert world.check(first).has_passed
