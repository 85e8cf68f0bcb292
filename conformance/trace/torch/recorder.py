"""The recorder: every aten operator that reads the image or the state becomes lines of a tape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.weak import WeakTensorKeyDictionary

from conformance.graph.model import Where
from conformance.trace.places import executing
from conformance.trace.port import Chance
from conformance.trace.tape import Tape
from conformance.trace.torch.execution import as_array
from conformance.trace.torch.hollow import (
    DRAWS,
    LIKE,
    NOISE,
    Hollow,
    both_floating,
    on_meta,
    share_of,
    unread,
)
from conformance.trace.torch.lowered import Precisions
from conformance.trace.torch.operators import CONSTANTS, translation
from conformance.trace.torch.patches import part_of, written_over

#: Operators that tell a program a number, or whether two tensors are equal.
DECIDES = frozenset({"_local_scalar_dense", "equal"})

Value = int | Callable[[], int] | None
"""A line of the tape; or what will write it, if it is ever read; or nothing that can be read."""


class Recorder(TorchDispatchMode):
    """Writes down every operator that reads the image or the state."""

    def __init__(
        self, module: nn.Module, state: Mapping[str, Tensor], tape: Tape | None = None
    ) -> None:
        super().__init__()
        self.tape = Tape() if tape is None else tape
        self.failed = ""
        self.interrupted: Exception | None = None
        self._handles = {id(tensor): handle for handle, tensor in state.items()}
        #: What is stored and not trained: it may have its values already.
        self._built: dict[str, Tensor] = dict(module.named_buffers())
        self._built |= {h: p for h, p in module.named_parameters() if not p.requires_grad}
        self.precisions = Precisions(module)
        for handle, low in self.precisions.stored.items():
            self.precisions.note(state[handle], low)
        self._known = WeakTensorKeyDictionary()
        self._views = WeakTensorKeyDictionary()
        self._drawn = WeakTensorKeyDictionary()
        self._stack = [""]
        self._names: dict[int, list[str]] = {}
        for name, child in module.named_modules(remove_duplicate=False):
            self._names.setdefault(id(child), []).append(name)

    def begin(self, image: Tensor, axes: str = "NCHW") -> None:
        """The first line of the tape."""
        self._know(image, self.tape.input(image.shape, axes))

    def place(self) -> Where:
        """Where in the port the operator is that is being dispatched."""
        return Where(self._stack[-1], executing())

    def enter(self, module: nn.Module, args: Any) -> None:
        """A module is called: what follows is done inside it."""
        names = self._names.get(id(module), self._stack[-1:])
        inside = f"{self._stack[-1]}." if self._stack[-1] else ""
        self._stack.append(next((name for name in names if name.startswith(inside)), names[0]))

    def leave(self, module: nn.Module, args: Any, output: Any) -> None:
        """A module is done, or has failed and has no output."""
        path = self._stack.pop()
        if output is None:
            self.failed = self.failed or path

    def of(self, x: Any) -> int:
        """The line that a tensor or a number comes from, written now if need be."""
        if not isinstance(x, Tensor):
            return self.tape.constant(x)
        version, value = self._known.get(x, (-1, None))
        if version == x._version:
            return value if isinstance(value, int) else self._know(x, value())
        if x in self._views:
            return self._know(x, self._views[x]())
        if version >= 0 or self._depends(x._base):
            before = value if version >= 0 else self.of(x._base)
            read = [before] if isinstance(before, int) else []
            return self._know(x, self.tape.unknown("write_through_another_view", read, x.shape))
        return self._know(x, self._first_seen(x))

    def replaced(self, before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> dict[str, int]:
        """The lines that a forward has put in the place of stored tensors, by handle.

        What PyTorch's own norms do to their statistics is no operator; it is known of them.
        """
        lines = {}
        for handle, old in before.items():
            new = after[handle]
            version, _ = self._known.get(new, (-1, None))
            if new is not old or version == new._version > 0:
                lines[handle] = self.of(new)
        return lines

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        read = [x for x in _tensors((args, kwargs)) if self._depends(x)]
        name = func.overloadpacket.__name__
        if name in NOISE | LIKE and (name.startswith("rand") or not read):
            made = func(*tree_map(unread, args), **kwargs)
            value = self._noise(made, share_of(name, args))
            know = self._overwrite if func._schema.is_mutable else self._know
            know(made, value)
            return made
        if not read:
            return self._unread(func, args, kwargs)
        if name in DECIDES and not self._seen(read):
            chance = Chance(
                f"what forward does depends on a random draw ({executing()}): it must do the same"
                " in every call"
            )
            chance.where = self.place()
            raise chance
        if name in CONSTANTS:
            like = torch.empty(read[0].shape, dtype=read[0].dtype, device=read[0].device)
            return func(like, *args[1:], **kwargs)
        low, start = self.precisions.result(name, read, args, kwargs), len(self.tape)
        if name == "_to_copy" and both_floating(read[0].dtype, kwargs.get("dtype")):
            self._lifted(read[0], low)
            kwargs = {**kwargs, "dtype": read[0].dtype}  # one precision throughout
        if name == "index":
            args = (args[0], [_numbered(index) for index in args[1]])
        where = self.place()
        if func.is_view:
            result = self._execute(func, args, kwargs)
            shapes = [on_meta(x) for x in _listed(result)]
            for i, output in enumerate(_listed(result)):
                self._views[output] = partial(self._viewed, where, func, shapes, args, kwargs, i)
                self.precisions.note(output, low)
            return result
        self.tape.where = where
        result = self._computed(func, args, kwargs, read)
        if low:
            for output in _tensors(result):
                self.precisions.note(output, low)
            made = (i for i in range(start, len(self.tape)) if self.tape[i].inputs)
            self.tape.lowered |= dict.fromkeys(made, low)
        return result

    def _seen(self, read: list[Tensor]) -> bool:
        """Whether anything but random draws has a part in some tensors."""
        behind = self.tape.behind([self.of(x) for x in read])
        return any(self.tape[i].name in ("input", "parameter") for i in behind)

    def _lifted(self, x: Tensor, low: str) -> None:
        """Note what was brought down to a lower precision and back, with nothing in between."""
        before = self.precisions.of(x)
        if before and not low and id(x) not in self._handles:
            self.tape.lowered.setdefault(self.of(x), before)

    def _unread(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Compute a constant; what is drawn at random is none."""
        result = func(*args, **kwargs)
        given = any(x in self._drawn for x in _tensors((args, kwargs)))
        if given or func.overloadpacket.__name__ in DRAWS:
            self._drawn.update((x, True) for x in _tensors(result))
        return result

    def _computed(self, func: Any, args: Any, kwargs: Any, read: list[Tensor]) -> Any:
        """Execute an operator and write it down."""
        operands = [(self.of(x), x) for x in read]  # before the operator overwrites one
        start = len(self.tape)
        result = self._execute(func, args, kwargs)
        given = {key: value for key, value in kwargs.items() if key != "out"}
        values = self._translate(func, _listed(result), args, given)
        values[0] = value = _written(values[0])
        if func._schema.is_mutable:
            result = kwargs.get("out", args[0])
            self._overwrite(result, value)
            self._made(value, result)
        else:
            for output, found in zip(_listed(result), values, strict=False):
                self._know(output, found)
        self._passed(range(start, len(self.tape)), operands, result)
        return result

    def _noise(self, made: Tensor, share: float | Tensor | None) -> int:
        """A uniform draw; with a share, ones where it falls below that, and zeros."""
        draw = self.tape.random(made.shape)
        return draw if share is None else self.tape.elementwise("less", draw, self.of(share))

    def _execute(self, func: Any, args: Any, kwargs: Any) -> Any:
        """The shapes of what an operator returns."""
        name = func.overloadpacket.__name__
        if name == "native_batch_norm":
            return _normed(*args)
        if name == "relu" or (name == "add" and _of_one_shape(*args[:2])):
            return Hollow(_like(on_meta(args[0])))
        result = laid(func, func(*tree_map(on_meta, args), **tree_map(on_meta, kwargs)))
        return tree_map(lambda x: Hollow(x) if isinstance(x, Tensor) else x, result)

    def _translate(self, func: Any, outputs: list[Any], args: Any, kwargs: Any) -> list[Value]:
        """Write an operator down: one value for each of its outputs."""
        translate = translation(func)
        values = translate(self, outputs, *args, **kwargs) if translate else None
        if isinstance(values, int):
            return [values]
        if values is None:
            inputs = [self.of(x) for x in _tensors((args, kwargs))]
            word = f"{func.namespace}.{func.overloadpacket.__name__}"
            values = [partial(self.tape.unknown, word, inputs, x.shape) for x in _tensors(outputs)]
        return values

    def _viewed(
        self, where: Where, func: Any, shapes: list[Tensor], args: Any, kwargs: Any, index: int
    ) -> int:
        """A view is written down when it is read, as what it shows then."""
        source = self.of(args[0])
        before, self.tape.where = self.tape.where, where
        start = len(self.tape)
        value = _written(self._translate(func, shapes, args, kwargs)[index])
        self.tape.where = before
        self._passed(range(start, value), [(source, args[0])], None)
        return value

    def _overwrite(self, target: Tensor, value: int) -> None:
        """An operator wrote into a tensor, perhaps through a view of another one."""
        version = target._version + 1  # torch counts a write when it is over
        if target._base is not None:
            self._known[target._base] = (version, self._patched(target._base, target, value))
        self._known[target] = (version, value)

    def _patched(self, base: Tensor, target: Tensor, value: int) -> Value:
        """What a tensor holds after a write through one of its views."""
        if base.numel() == target.numel() and base.is_contiguous() and target.is_contiguous():
            return partial(self.tape.reshape, value, base.shape)
        found = part_of(base, target)
        if found is None:
            return partial(self.tape.unknown, "write_into_view", [self.of(base), value], base.shape)
        return partial(written_over, self.tape, self.of(base), *found, value)

    def _first_seen(self, x: Tensor) -> int:
        """A tensor that no operator on the tape has made: state, or a constant."""
        handle = self._handles.get(id(x))
        if handle is not None:
            index = self.tape.parameter(handle, x.shape)
            if low := self.precisions.stored.get(handle):
                self.tape.lowered[index] = low
            built = self._built.get(handle)
            if built is not None and not built.is_meta and not isinstance(built, Hollow):
                self.tape[index].attributes["array"] = as_array(built)
            return index
        if x.is_meta:
            raise TypeError(
                f"a tensor of {tuple(x.shape)} was made like a weight and is no parameter or buffer"
            )
        if x in self._drawn:
            return self.tape.random(x.shape)
        return self.tape.constant(as_array(x))

    def _depends(self, x: Tensor | None) -> bool:
        """Whether a tensor comes from the image or the state."""
        return x is not None and (
            x in self._known or x in self._views or id(x) in self._handles
            or self._depends(x._base)
        )  # fmt: skip

    def _know(self, x: Tensor, value: Any) -> Any:
        if value is not None:
            self._known[x] = (x._version, value)
        if isinstance(value, int):
            self._made(value, x)
        return value

    def _made(self, value: int, x: Tensor) -> None:
        """The tensor of a line is there."""

    def _passed(self, lines: range, operands: list[tuple[int, Tensor]], result: Any) -> None:
        """An operator has several lines, of which these have no tensor."""


# PyTorch computes a norm, a ReLU and a sum step by step where there are only shapes, in Python, and
# most of a trace would go into that.


def _normed(x: Tensor, *others: Any) -> tuple[Hollow, ...]:
    """What a batch norm returns: the map and, in training, what it has normalised by."""
    kept = [torch.empty(x.shape[1] if others[4] else 0, dtype=x.dtype, device="meta")] * 2
    return tuple(Hollow(each) for each in (_like(on_meta(x)), *kept))


def laid(func: Any, result: Any) -> Any:
    """A result, laid out in one way on every device.

    Where the channels of a convolution lie is up to its kernel, and a product of what it makes
    takes other steps then.
    """
    return result.contiguous() if func is torch.ops.aten.convolution.default else result


def _like(x: Tensor) -> Tensor:
    if x.is_contiguous():
        return torch.empty(x.shape, dtype=x.dtype, device="meta")
    return torch.empty_like(x)


def _of_one_shape(x: Any, y: Any) -> bool:
    """Whether a sum is as its parts are."""
    parts = [each for each in (x, y) if isinstance(each, Tensor)]
    kinds = {(each.shape, each.dtype, each.is_contiguous()) for each in parts}
    return len(parts) == 2 and len(kinds) == 1 and x.is_contiguous()


def _written(value: Value) -> int:
    return cast(int, value() if callable(value) else value)


def _listed(result: Any) -> list[Tensor]:
    return [result] if isinstance(result, Tensor) else list(result)


def _tensors(tree: Any) -> list[Tensor]:
    return [x for x in tree_leaves(tree) if isinstance(x, Tensor)]


def _numbered(index: Tensor | None) -> Tensor | None:
    """A constant mask as the positions that it selects: a mask has no shape to trace."""
    if index is None or index.dtype != torch.bool or index.ndim != 1 or isinstance(index, Hollow):
        return index
    return index.nonzero().flatten()
