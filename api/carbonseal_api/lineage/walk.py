"""Walks the links of a node level by level, as far as asked and as far as the viewer may see.

Order is that of discovery: a node after the one that led to it, those of one step by relation and identifier.
So the same question over the same logs gives the same answer, and pages of it fit together.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from carbonseal_api.lineage.access import Viewer
from carbonseal_api.lineage.downward import links_down
from carbonseal_api.lineage.graph import NAMED_ONLY, Graph, Link
from carbonseal_api.lineage.upward import links_up

DIRECTIONS: Final = ("down", "up")
MAX_DEPTH: Final = 20
MAX_NODES: Final = 50_000  # of one walk; what is beyond is said to be left out


@dataclass(slots=True)
class Walked:
    """What a walk found: nodes in order of discovery with their level, and links between them.

    `left_out` says why something may be missing: `depth`, or `nodes` at `MAX_NODES`.
    """

    root: str
    direction: str
    levels: dict[str, int]
    links: list[Link] = field(default_factory=list)
    hidden: set[str] = field(default_factory=set)
    left_out: set[str] = field(default_factory=set)


def walk(graph: Graph, viewer: Viewer, root: str, direction: str, depth: int) -> Walked:
    """Return what rests on `root` (up), or what it rests on (down), at most `depth` links away."""
    made = Walked(root, direction, {root: 0})
    seen: set[Link] = set()
    expanded: set[str] = set()
    frontier = [root]
    for level in range(1, depth + 2):
        expanded.update(frontier)
        links = _step(graph, frontier, root, direction)
        if level > depth:
            # One step beyond, only to say truly whether there is more.
            if any(_far(link, direction) not in made.levels for link in links):
                made.left_out.add("depth")
            break
        order = {node: at for at, node in enumerate(frontier)}
        links.sort(key=lambda link: (order[_near(link, direction)], link.relation, _far(link, direction)))
        visible = viewer.visible({_far(link, direction) for link in links})
        following: dict[str, None] = {}
        for found in links:
            link, far = found, _far(found, direction)
            if far not in visible:
                far = viewer.opaque(far)
                link = _masked(found, far, direction)
                made.hidden.add(far)
            if far not in made.levels:
                if len(made.levels) >= MAX_NODES:
                    made.left_out.add("nodes")
                    continue
                made.levels[far] = level
            if link not in seen:
                seen.add(link)
                made.links.append(link)
            if far not in made.hidden and far not in expanded and not _is_named_only(link, direction):
                following[far] = None
        frontier = list(following)
        if not frontier:
            break
    return made


def _step(graph: Graph, frontier: Collection[str], root: str, direction: str) -> list[Link]:
    found = links_down(graph, frontier, root=root) if direction == "down" else links_up(graph, frontier)
    return list(dict.fromkeys(found))


def _is_named_only(link: Link, direction: str) -> bool:
    return direction == "down" and link.relation in NAMED_ONLY


def _near(link: Link, direction: str) -> str:
    return link.source if direction == "down" else link.target


def _far(link: Link, direction: str) -> str:
    return link.target if direction == "down" else link.source


def _masked(link: Link, name: str, direction: str) -> Link:
    if direction == "down":
        return Link(link.source, "uses", name)
    return Link(name, "uses", link.target)
