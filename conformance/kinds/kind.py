"""What a row holds: a kind's attributes, its arithmetic both ways, its control arm, its causes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    from conformance.kinds.experiment import Altered, Trial

#: Every row by its name; filled when the package is imported.
KINDS: dict[str, Kind] = {}

#: Traits, and what each says of a kind.
TRAITS = {
    "weighted": "it is numbered in a paper's table; its number of output channels is its width",
    "join": "branches end in it",
    "unordered": "the order of its inputs changes nothing",
    "pooling": "it reduces windows of the map",
    "resizing": "it makes the map smaller or larger",
    "norm": "it normalises; what it multiplies and adds is no weight and no bias by papers' counts",
    "activation": "it is a function of each number by itself",
    "passing": "it leaves the size and the meaning of each channel alone",
    "non_negative": "its result is not negative",
    "keeps_sign": "its result is not negative where no input is",
    "whole": "each of its results depends on all of the map",
    "end": "it is no layer: the image",
}


class Node(Protocol):
    """What a row needs to know of a node: :class:`conformance.graph.model.Node` is one."""

    kind: str
    attributes: dict[str, Any]
    shape: tuple[int, ...]
    slots: dict[str, tuple[int, ...]]

    @property
    def weights(self) -> int:
        """Kernel entries that are in use."""

    @property
    def biases(self) -> int:
        """Entries added once a channel."""


def changed(node: Node, attributes: dict[str, Any]) -> Node:
    """A node with other attributes."""
    other = copy(node)
    other.attributes = attributes
    return other


class Arithmetic(Protocol):
    """What an operation computes with: numbers in some precision, and the image."""

    image: np.ndarray

    def stored(self, x: np.ndarray) -> np.ndarray:
        """What is kept of numbers that a framework may store."""

    def read(self, x: np.ndarray) -> np.ndarray:
        """Numbers as a product reads them."""

    def add(self, x: np.ndarray, y: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """A sum, into ``out`` if there is one, that a framework may store."""


class Step(NamedTuple):
    """What an adjoint is given: the node with its slots, inputs and result, and ``decisive``, its
    first input, and ``decided``, its result, in double precision.

    Of what the adjoint of its kind does not read there are the shape and the type only.
    """

    node: Node
    slots: dict[str, np.ndarray]
    inputs: list[np.ndarray]
    result: np.ndarray
    decisive: np.ndarray
    decided: np.ndarray


@dataclass(frozen=True, slots=True)
class Spread:
    """What values of a result of some shape are expected to look like: mean and second moment."""

    mean: float
    moment: float
    shape: tuple[int, ...] = ()

    @property
    def variance(self) -> float:
        return max(self.moment - self.mean**2, 0.0)


Slots = Mapping[str, np.ndarray]
#: ``(arithmetic, node, slots, *inputs)`` to the node's result.
Forward = Callable[..., np.ndarray]
#: Gradients with respect to the inputs, in their order, and with respect to the slots.
Gradients = tuple[list[np.ndarray], dict[str, np.ndarray]]
Adjoint = Callable[[Step, np.ndarray], Gradients]
Hypothesis = Callable[["Trial"], "Altered"]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of layer.

    ``attributes`` are those that every node of the kind has, ``optional`` others that it may have,
    ``slots`` the parameters that it may hold.  ``forward`` computes it, ``adjoint`` turns the
    gradient with respect to its result into those with respect to its inputs and slots; ``reads``
    are the numbers of its :class:`Step` that it does this by, and no others are kept for it.
    ``spread`` says what its result looks like under canonical weights.  ``altered`` is a bug that
    real ports have: a check of numbers that does not see it sees nothing.  ``causes`` are
    hypotheses that can be tried as they are, ``fitted`` those with a number to solve for first,
    both the simplest first.  ``written`` is the layer as the reference writes it, None where no
    table has it, ``counted`` the words under which papers count such layers, and ``connections``
    LeNet's count of them.  ``traits`` are words of :data:`TRAITS`.
    """

    name: str
    attributes: str = ""
    optional: str = ""
    slots: str = ""
    forward: Forward
    adjoint: Adjoint
    reads: str = "inputs result decisive decided"
    spread: Callable[..., Spread]
    altered: tuple[str, Callable[[Trial], np.ndarray]]
    causes: tuple[Hypothesis, ...]
    fitted: tuple[Hypothesis, ...] = ()
    written: Callable[[Node], str] | None
    counted: str = ""
    connections: Callable[[Node], int] = lambda node: 0
    traits: str = ""

    @cached_property
    def _traits(self) -> dict[str, bool]:
        words = self.traits.split()
        return {trait: trait in words for trait in TRAITS}

    def has(self, trait: str) -> bool:
        """Whether the kind has a trait.  Raises :class:`KeyError` for a word that is none."""
        return self._traits[trait]

    def departures(self, node: Node) -> list[str]:
        """How a node is not as this row says."""
        needed, allowed = set(self.attributes.split()), set(self.optional.split())
        has = node.attributes.keys()
        return [
            *(f"lacks {name}" for name in sorted(needed - has)),
            *(f"has {name}" for name in sorted(has - needed - allowed)),
            *(f"holds {slot}" for slot in sorted(node.slots.keys() - set(self.slots.split()))),
        ]


def having(trait: str) -> frozenset[str]:
    """The kinds with a trait."""
    return frozenset(name for name, row in KINDS.items() if row.has(trait))


def counted_as(words: str) -> frozenset[str]:
    """The kinds that papers count under these words; ``weight layers`` are those with a kernel."""
    if words == "weight layers":
        return frozenset(name for name, row in KINDS.items() if "kernel" in row.slots.split())
    found = frozenset(name for name, row in KINDS.items() if row.counted == words)
    if not found:
        raise KeyError(words)
    return found


def same(node: Node, *inputs: Spread) -> Spread:
    """The spread of what leaves numbers as they are."""
    return inputs[0]
