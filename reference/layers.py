"""Layers as papers write them, ``{1x1 64; 1x1 96, 3x3 128}``, and what follows from them.

Commas separate what comes one after the other.  ``[…] x 3`` is a block, three times; where its
table names a shortcut, what a block found is added to what it leaves.  ``{…; …}`` is a module:
its branches all start from one input, and what they leave is concatenated in that order.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from math import floor, prod

from conformance.reference.arithmetic import evaluate

#: Height, width and maps; a vector is a map of one pixel.
Size = tuple[int, int, int]

_WINDOW = r"(\d+)x(\d+)(?:/(\d+))?( V| ceil)?"
_CONV = re.compile(rf"(sep )?{_WINDOW}(?: g=(\d+))?(?: m=(\d+))? (\d+)")
_SLIDING = re.compile(rf"(max pool|average pool|subsample|upsample) {_WINDOW}")
_UNITS = re.compile(r"(fc|rbf) (\d+)")
_OTHER = re.compile(r"(average pool|LRN|dropout|batch norm|softmax|sigmoid)(?: [\d.]+)?")
_TOKENS = re.compile(r"[][{};,]|[^][{};,]+")

#: Layers with a window that moves over the map.
SLIDING = frozenset({"conv", "max pool", "average pool", "subsample"})

#: Shortcuts of a block: how what it found is made to fit what it leaves.
SHORTCUTS = ("", "identity", "padded identity", "projection")

#: What a table may write for the sake of its sizes and names, and no claim lists.
SILENT = frozenset({"upsample", "batch norm", "softmax", "sigmoid"})


@dataclass(frozen=True, slots=True)
class Layer:
    """One written layer.  ``text`` leaves out how it is padded and how its maps are grouped.

    ``window`` is `` V`` for one that is not padded and `` ceil`` for one whose last position may
    stand over the edge; else the table says how windows are padded.  A ``sep`` convolution
    has a ``multiplier``.  ``inputs`` (maps, or units of a dense layer) and ``size`` (what it
    leaves) are set once the layer stands in a network.
    """

    text: str
    kind: str
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1
    width: int = 0
    window: str = ""
    groups: int = 1
    multiplier: int = 0
    inputs: int = 0
    size: Size = (0, 0, 0)

    @property
    def weighted(self) -> bool:
        """Whether it is a convolution or a dense layer."""
        return self.kind in ("conv", "fc")

    @property
    def weights(self) -> int:
        """The entries of its kernel, all maps being connected within their group."""
        return prod(self.kernel) * self.inputs // self.groups * self.width if self.weighted else 0

    def on(self, size: Size, padding: str) -> Layer:
        """The layer on an input of that size.  Raises :class:`ValueError`."""
        height, width, maps = size
        if self.kind in ("fc", "rbf"):
            return replace(self, inputs=prod(size), size=(1, 1, self.width))
        if self.text == "average pool":
            return replace(self, inputs=maps, size=(1, 1, maps))
        if self.kind == "upsample":
            sides = height * self.kernel[0], width * self.kernel[1]
            return replace(self, inputs=maps, size=(*sides, maps))
        if self.kind not in SLIDING:
            return replace(self, inputs=maps, size=size)
        height = self._slid(height, self.kernel[0], padding)
        width = self._slid(width, self.kernel[1], padding)
        if height < 1 or width < 1 or maps % self.groups:
            raise ValueError(f"{self.text} does not fit {shown(size)}")
        # A window as large as its map has no steps to take: all frameworks' global pooling.
        whole = self.kind == "average pool" and self.kernel == size[:2] and height == width == 1
        text = "average pool" if whole else self.text
        return replace(self, inputs=maps, size=(height, width, self.width or maps), text=text)

    def _slid(self, side: int, kernel: int, padding: str) -> int:
        room = side - kernel + (0 if self.window else 2 * margin(padding, kernel))
        return (-(-room // self.stride) if self.window == " ceil" else room // self.stride) + 1

    def apart(self, maps: int) -> list[Layer]:
        """A separable convolution as its two: each map on its own, then 1x1; others as they are."""
        if not self.multiplier:
            return [self]
        height, width = self.kernel
        depthwise = _conv(height, width, self.stride, self.window, maps, maps * self.multiplier)
        return [depthwise, _conv(1, 1, 1, "", 1, self.width)]


@dataclass(frozen=True, slots=True)
class Group:
    """Branches on one input: concatenated, or with ``added`` a block and its shortcut.

    As written, a block is one branch, ``times`` over; standing in a network it is written out.
    """

    branches: tuple[tuple[Part, ...], ...]
    added: bool = False
    times: int = 1


Part = Layer | Group


def flat(parts: Iterable[Part]) -> Iterator[Layer]:
    """All layers, in writing order, a group as often as it is written."""
    for part in parts:
        if isinstance(part, Layer):
            yield part
        else:
            for _ in range(part.times):
                for branch in part.branches:
                    yield from flat(branch)


def depth(parts: Iterable[Part], kinds: Iterable[str]) -> int:
    """How many layers of some kinds are on the longest path."""
    return sum(
        (part.kind in kinds)
        if isinstance(part, Layer)
        else part.times * max(depth(branch, kinds) for branch in part.branches)
        for part in parts
    )


def names(text: str) -> list[Layer]:
    """The layers of a text that stands in no network.  Raises :class:`ValueError`."""
    return [] if text == "none" else list(flat(parse(text)))


@cache
def parse(text: str) -> tuple[Part, ...]:
    """A text's layers, blocks and modules.  Raises :class:`ValueError`."""
    tokens = deque(token.strip() for token in _TOKENS.findall(text) if token.strip())
    parts = _sequence(tokens, text)
    if tokens:
        raise ValueError(f"{text!r} has a {tokens[0]!r} too many")
    return parts


def _sequence(tokens: deque[str], text: str) -> tuple[Part, ...]:
    parts: list[Part] = []
    while tokens:
        token = tokens.popleft()
        parts.append(_group(token, tokens, text) if token in ("[", "{") else layer(token))
        if not tokens or tokens[0] != ",":
            break
        tokens.popleft()
    return tuple(parts)


def _group(opening: str, tokens: deque[str], text: str) -> Group:
    branches = [_sequence(tokens, text)]
    while tokens and tokens[0] == ";":
        tokens.popleft()
        branches.append(_sequence(tokens, text))
    if not tokens or tokens.popleft() != {"[": "]", "{": "}"}[opening]:
        raise ValueError(f"{text!r} does not close its {opening!r}")
    times = 1
    if tokens and (repeated := re.fullmatch(r"x (\d+)", tokens[0])):
        times = int(repeated[1])
        tokens.popleft()
    if opening == "[" and len(branches) > 1:
        raise ValueError(f"{text!r} has branches in a block")
    return Group(tuple(branches), added=opening == "[", times=times)


@dataclass(frozen=True, slots=True)
class Setting:
    """What a table says of a row's windows and blocks besides what is written in the cell.

    ``padding`` is a formula of the kernel, k.  The first convolution of the first block takes
    ``stride``.
    """

    padding: str = "0"
    stride: int = 1
    shortcut: str = ""

    def place(self, parts: Iterable[Part], size: Size) -> tuple[list[Part], Size]:
        """The parts on an input of that size, and what they leave.  Raises :class:`ValueError`."""
        placed: list[Part] = []
        for part in parts:
            if isinstance(part, Layer):
                for each in part.apart(size[-1]):
                    placed.append(standing := each.on(size, self.padding))
                    size = standing.size
                continue
            before: Size | None = None
            group: list[Part] = []
            for turn in range(part.times):
                # A turn that finds what the turn before found, and has no stride, is the same.
                if turn < 2 or size != before:
                    before = size
                    group, size = self._turn(part, size, first=turn == 0)
                placed += group
        return placed, size

    def _turn(self, part: Group, size: Size, first: bool) -> tuple[list[Part], Size]:
        if part.added:
            return self._block(part.branches[0], size, first)
        module, size = self._module(part.branches, size)
        return [module], size

    def _module(self, branches: tuple[tuple[Part, ...], ...], size: Size) -> tuple[Group, Size]:
        pairs = [self.place(branch, size) for branch in branches]
        grids = list(dict.fromkeys(left[:2] for _, left in pairs))
        if len(grids) > 1:
            raise ValueError(f"its branches leave {' and '.join(map(shown, grids))}")
        maps = sum(left[-1] for _, left in pairs)
        return Group(tuple(tuple(placed) for placed, _ in pairs)), (*grids[0], maps)

    def _block(self, parts: tuple[Part, ...], size: Size, first: bool) -> tuple[list[Part], Size]:
        step = self.stride if first else 1
        if step > 1:
            parts = (_strided(parts[0], step), *parts[1:])
        straight, left = self.place(parts, size)
        if not self.shortcut:
            return straight, left
        # What the block strides over, written in its cell or beside it, its shortcut does too.
        step = -(-size[0] // left[0])
        bridge: list[Part] = []
        if self.shortcut == "projection" and left != size:
            bridge, bridged = self.place(parse(_text(1, 1, step, left[-1])), size)
            size = bridged
        if self.shortcut == "padded identity":
            size = (-(-size[0] // step), -(-size[1] // step), max(size[-1], left[-1]))
        if left != size:
            raise ValueError(f"{shown(left)} cannot be added to {shown(size)}")
        return [Group((tuple(straight), tuple(bridge)), added=True)], left


def _strided(part: Part, stride: int) -> Layer:
    if not isinstance(part, Layer) or part.kind != "conv":
        raise ValueError(f"a stride of {stride} needs a convolution at the start of its block")
    strided = layer(_text(*part.kernel, stride, part.width))
    return replace(strided, window=part.window, groups=part.groups)


@cache
def margin(padding: str, kernel: int) -> int:
    """What a formula like ``(k - 1) / 2`` adds on each side.  Raises :class:`ValueError`."""
    return floor(evaluate(padding.replace("k", str(kernel))))


def shown(size: tuple[int, ...]) -> str:
    """A size as papers print it, 28x28x512."""
    return "x".join(map(str, size))


@cache
def layer(text: str) -> Layer:
    """One layer from its written form.  Raises :class:`ValueError` naming it."""
    if match := _CONV.fullmatch(text):
        separable, height, width, stride, window, groups, multiplier, maps = match.groups()
        if bool(separable) == bool(multiplier) and not (separable and groups):
            found = _conv(
                int(height), int(width), int(stride or 1), window or "", int(groups or 1), int(maps)
            )
            return replace(found, multiplier=int(multiplier or 0))
    if match := _SLIDING.fullmatch(text):
        kind, height, width, stride, window = match.groups()
        kernel, step = (int(height), int(width)), int(stride or 1)
        return Layer(f"{kind} {_text(*kernel, step)}", kind, kernel, step, window=window or "")
    if match := _UNITS.fullmatch(text):
        return Layer(text, match[1], width=int(match[2]))
    if match := _OTHER.fullmatch(text):
        return Layer(text, match[1])
    raise ValueError(f"{text!r} is not a layer")


def _conv(height: int, width: int, stride: int, window: str, groups: int, maps: int) -> Layer:
    text = _text(height, width, stride, maps)
    return Layer(text, "conv", (height, width), stride, maps, window, groups)


def _text(height: int, width: int, stride: int, maps: int = 0) -> str:
    return f"{height}x{width}{f'/{stride}' if stride > 1 else ''}{f' {maps}' if maps else ''}"
