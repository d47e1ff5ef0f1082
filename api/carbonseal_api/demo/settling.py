"""What the demo's later steps share: closing an epoch with its marks, and telling a statement's state."""

from __future__ import annotations

from typing import Final

from carbonseal_api.demo.scene import Scene
from carbonseal_api.impacts.closing import close_epoch
from carbonseal_collectors.clock import SimulatedClock

MINUTE_MS: Final = 60_000


def settle(scene: Scene) -> None:
    """Let marks travel, close an epoch and anchor it."""
    if isinstance(scene.clock, SimulatedClock):
        scene.clock.advance(MINUTE_MS)
    close_epoch(scene.stage.parts)
    scene.stage.chain.anchor_epoch(scene.stage.host)


def tell_statement(scene: Scene, key: str, origin: str, digest: bytes, **values: object) -> None:
    """Tell one step with its statement's digest and receipt state."""
    state = str(scene.stage.host.receipt_state(origin, digest))
    words = scene.narrator.words(f"state.{state}")
    scene.narrator.tell(key, "done", digest=digest.hex()[:16], state=words, **values)
