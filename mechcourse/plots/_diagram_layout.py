"""Where the parts of a circuit diagram stand, and how its edges keep out of each other's way."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from mechcourse.plots._style import WIDTH

Edge = tuple[str, str, str]  # sender, receiver, kind

LEFT, RIGHT = 84, 30  # margins, in pixels, which are also the axes' units
SIDE, ROW = WIDTH - LEFT - RIGHT, 150  # width, and from row to row
ROUND, BAR = 52, 34  # a head's diameter, the height of the inputs and of the logits
PORTS = {"Q": -15.0, "K": 0.0, "V": 15.0}  # where each kind enters a head, from its middle
# For how much of its way an edge leaves and arrives upright. One that passes a row slips between
# its heads if it is nearly straight, or turns well before or well after it.
LIFTS = ((0.5, 0.5), (0.2, 0.2), (0.1, 0.9), (0.9, 0.1))
EXITS = (0.0, -12.0, 12.0)
BOWS = (0, -25, 25, -50, 50, -90, 90, -140, 140, -200, 200)
MOST_IN_ROW = 12  # a longer row shows only heads that have an edge or an effect of their own
INPUT, LOGITS = -1.0, math.inf


@dataclass
class Node:
    """Where a node stands, and how much room it takes."""

    name: str
    rank: float  # the inputs', the layer's, half above the layer's for its MLP, the logits'
    x: float = 0.0
    y: float = 0.0
    wide: float = ROUND
    high: float = ROUND

    @property
    def bar(self) -> bool:
        return self.rank in (INPUT, LOGITS)

    def doors(self, kind: str, other: "Node", *, leaving: bool) -> list[float]:
        """Where an edge may leave it, or enter it."""
        if not self.bar:
            ports = EXITS if leaving else (PORTS.get(kind, 0.0),)
            return [self.x + port * self.wide / ROUND for port in ports]
        low, high = self.x - self.wide / 2 + 14, self.x + self.wide / 2 - 14
        return sorted({min(max(other.x + by, low), high) for by in range(-120, 121, 30)})

    def rim(self, x: float) -> float:
        """How far its rim is above its middle (and below) at some place along it."""
        if self.bar:
            return self.high / 2
        return math.sqrt(max(0.0, (self.wide / 2) ** 2 - (x - self.x) ** 2))


@dataclass
class Drawing:
    """What is drawn already, so that what comes next keeps out of its way."""

    nodes: dict[str, Node]
    paths: dict[Edge, np.ndarray] = field(default_factory=dict)
    labels: list[Node] = field(default_factory=list)  # the boxes of values written on edges


def rank_of(name: str) -> float:
    """How high a node stands: a head's layer, half more for an MLP."""
    if name == "logits":
        return LOGITS
    part = re.fullmatch(r"(\d+)\.(\d+|mlp)", name)
    return INPUT if part is None else int(part[1]) + 0.5 * (part[2] == "mlp")


def place(
    edges: Sequence[Edge], drawn: Sequence[Edge], own: Mapping[str, float]
) -> tuple[Drawing, int]:
    """Give every node its place; also how many heads without an edge had no room."""
    names = dict.fromkeys([name for edge in edges for name in edge[:2]] + [*own])
    busy = {name for edge in drawn for name in edge[:2]} | {*own}
    rows: dict[float, list[Node]] = {}
    for name in names:
        rows.setdefault(rank_of(name), []).append(Node(name, rank_of(name)))
    left_out = 0
    for rank, row in rows.items():
        if rank not in (INPUT, LOGITS):
            row.sort(key=lambda node: int(node.name.split(".")[1].replace("mlp", "0")))
        if len(row) > MOST_IN_ROW:
            rows[rank] = [node for node in row if node.name in busy]
            left_out += len(row) - len(rows[rank])
    rows = {rank: row for rank, row in sorted(rows.items()) if row}
    for level, (rank, row) in enumerate(rows.items()):
        _stand(row, float(ROW * level), 0 if rank in (INPUT, LOGITS) else (-1) ** level)
    return Drawing({node.name: node for row in rows.values() for node in row}), left_out


def _stand(row: Sequence[Node], y: float, side: int) -> None:
    """Spread a row over the width, a little to one side.

    Rows stand askew, so that an edge may pass between the heads of one that it skips.
    """
    step = SIDE / len(row)
    for number, node in enumerate(row):
        if node.bar:
            node.wide, node.high = step - 12, BAR
        else:
            node.wide = node.high = min(ROUND, step - 6)
        askew = side * min(step / 4, 44, (step - node.wide) / 2 - 2)
        node.x, node.y = (number + 0.5) * step + askew, y


def route(drawing: Drawing, start: Node, end: Node, kind: str) -> np.ndarray:
    """The best of many curves from one node up to another: past others, not along other edges."""
    obstacles = [node for node in drawing.nodes.values() if node not in (start, end)]
    taken = np.concatenate([np.zeros((0, 2)), *(path[::3] for path in drawing.paths.values())])
    best, lowest = np.zeros((0, 2)), math.inf
    leaves = start.doors(kind, end, leaving=True)
    enters = end.doors(kind, start, leaving=False)
    lifts = LIFTS if end.y - start.y > ROW else LIFTS[:1]
    for leave, enter, bow, lift in product(leaves, enters, BOWS, lifts):
        first, last = (leave, start.y + start.rim(leave)), (enter, end.y - end.rim(enter))
        path = curve(first, last, bow, lift)
        some = path[::3]
        cost = abs(bow) / 12 + abs(leave - enter) / 40 + 3 * (lift != LIFTS[0])
        cost += 100 * sum(int(inside(some, node, 8).sum()) for node in obstacles)
        cost += 100 * int((abs(some[:, 0] - SIDE / 2) > SIDE / 2).sum())
        # Where edges of one node meet they can't help being near: only the middle counts.
        near = np.abs(some[4:-4, None] - taken).max(axis=-1) < 12
        cost += 3 * int(near.any(axis=1).sum())
        if cost < lowest:
            best, lowest = path, cost
    return best


def curve(
    start: tuple[float, float],
    end: tuple[float, float],
    bow: float | int,
    lift: tuple[float, float],
) -> np.ndarray:
    """A smooth line that leaves and arrives upright, for some part of its way each, and bows."""
    t = np.linspace(0, 1, 43)[:, None]
    first, last = np.array(start), np.array(end)
    high = last[1] - first[1]
    after_first = first + np.array([bow, lift[0] * high])
    before_last = last + np.array([bow, -lift[1] * high])
    return (
        (1 - t) ** 3 * first
        + 3 * t * (1 - t) ** 2 * after_first
        + 3 * t**2 * (1 - t) * before_last
        + t**3 * last
    )


def inside(points: np.ndarray, node: Node, room: float | int) -> np.ndarray:
    """Which points lie within a node's box, or less than `room` pixels from it."""
    away = np.abs(points - [node.x, node.y])
    return (away[:, 0] < node.wide / 2 + room) & (away[:, 1] < node.high / 2 + room)
