"""PyTorch's tracer: what an ``nn.Module`` computes, one aten operator after the other.

The factory is called with its weights on the meta device: what ``torch.empty`` and the random
functions would allocate has a shape and no memory.  Everything else that the factory makes
(index lists, masks, codes) is small and real, so its values are known.

The forward runs under a dispatch mode on :class:`Hollow` tensors, which claim to be on the
CPU and have a shape only.  An operator that reads at least one tensor of the tape is written
down; one that reads none computes a constant, and really computes it.  A run is the same
traversal with real tensors, checked line by line against the tape.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass
from functools import partial
from itertools import accumulate, pairwise
from pathlib import Path
from traceback import walk_tb
from types import FrameType
from typing import Any, TypeVar, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
)
from torch.nn.parameter import is_lazy
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.weak import WeakTensorKeyDictionary

from conformance.graph.model import Where
from conformance.trace.port import (
    NO_DRAWS,
    PLAIN,
    CannotExecute,
    Execution,
    Own,
    Size,
    UntraceableModel,
    drawn,
)
from conformance.trace.tape import Operation, Tape, evaluate
from conformance.trace.torch_execution import as_array, computing, gpu

__all__ = ["TorchPort", "gpu", "port", "versions"]

TORCH = str(Path(torch.__file__).parent)


def port(factory: Callable[[], Any]) -> TorchPort:
    """The model that ``factory()`` builds, for tracing and running."""
    return TorchPort(factory)


def versions() -> dict[str, str]:
    """What the results depend on."""
    return {"torch": str(torch.__version__)}


class TorchPort:
    """One factory of an ``nn.Module``; see :class:`~conformance.trace.port.Port`."""

    framework = "torch"
    trains = True

    def __init__(self, factory: Callable[[], Any]) -> None:
        self.factory = factory
        self._module: nn.Module | None = None
        #: How it wants its images, found out when it is first traced.
        self._given: Callable[[Tensor], Tensor] | None = None
        self._size: Size | None = None

    def trace(self, size: Size, training: bool = False) -> Tape:
        """What the model computes for one image of height, width, channels; two in training."""
        if self._given is None:
            self._given = _as_it_is
            try:
                return self._trace(size, training)
            except UntraceableModel:
                self._given = _channels_last
                with suppress(UntraceableModel):
                    return self._trace(size, training)
                self._given = None
                raise
        return self._trace(size, training)

    def _trace(self, size: Size, training: bool) -> Tape:
        self._size = size
        height, width, channels = size
        batch = 2 if training else 1
        image = torch.empty(batch, channels, height, width, dtype=torch.float64, device="meta")
        with torch.no_grad(), computing():
            module = self._build(image).train(training)
            state = _hollow_state(module)
            recorder = Recorder(module, state)
            self._forward(module, recorder, state, Hollow(image))
        return recorder.tape

    def run(
        self,
        tape: Tape,
        values: Callable[[str], np.ndarray],
        image: np.ndarray,
        wanted: frozenset[int],
        observe: Callable[[int, np.ndarray], None],
        training: bool = False,
        draws: Mapping[int, float] = NO_DRAWS,
        how: Execution = PLAIN,
    ) -> dict[str, np.ndarray]:
        """See :class:`~conformance.trace.port.Port`; compiled by TorchInductor."""
        with torch.no_grad(), computing(how) as (dtype, device):
            tensor = torch.from_numpy(image.transpose(0, 3, 1, 2).copy()).to(device, dtype)
            module = self._build(tensor.to("meta")).train(training)
            state = self._filled(module, tape, values, device, dtype)
            if how.compiled:
                results = self._compiled(module, state, tensor)
                for value, result in zip(tape.outputs, results, strict=True):
                    if value in wanted:
                        observe(value, as_array(result))
                return {}
            buffers = [handle for handle, _ in module.named_buffers() if handle in state]
            kept = {h: state[h].clone() for h in buffers if not isinstance(state[h], Hollow)}
            recorder = Replay(module, state, tape, wanted, observe, draws)
            try:
                self._forward(module, recorder, state, tensor)
            except UntraceableModel as failed:
                if how.dtype != PLAIN.dtype and isinstance(failed.__cause__, NotImplementedError):
                    raise CannotExecute(f"PyTorch on the {device}: {failed.__cause__}") from failed
                raise
        if recorder.wanted:
            raise UntraceableModel(
                f"{self.name}: the run did not produce values {sorted(recorder.wanted)} of the"
                " tape; a model to be compared must compute the same steps every time"
            )
        # A batch norm replaces its statistics without a word: they are compared.
        return {h: as_array(state[h]) for h, old in kept.items() if not torch.equal(state[h], old)}

    def _compiled(self, module: nn.Module, state: dict[str, Tensor], image: Tensor) -> list[Tensor]:
        """The outputs of the module as TorchInductor makes code of it."""
        filled = {handle: x for handle, x in state.items() if not isinstance(x, Hollow)}

        def call(image: Tensor, filled: dict[str, Tensor]) -> list[Tensor]:
            return _outputs(functional_call(module, filled, ((self._given or _as_it_is)(image),)))

        try:
            return list(torch.compile(call)(image, filled))
        except Exception as error:
            raise CannotExecute(f"{self.name} is not compiled here: {_told(error)}") from error
        finally:
            torch.compiler.reset()  # it keeps what it has compiled

    def gradient(
        self,
        tape: Tape,
        values: Callable[[str], np.ndarray],
        image: np.ndarray,
        cotangents: Sequence[np.ndarray],
        wanted: frozenset[str],
        observe: Callable[[str | None, np.ndarray], None],
        training: bool = False,
        draws: Mapping[int, float] = NO_DRAWS,
    ) -> None:
        """See :class:`~conformance.trace.port.Port`; a module's own hooks take part."""
        tensor = torch.from_numpy(image.astype(np.float64).transpose(0, 3, 1, 2).copy())
        with computing():
            module = self._build(tensor.to("meta")).train(training)
            state = self._filled(module, tape, values)
            leaves = [tensor.requires_grad_(), *(state[handle] for handle in sorted(wanted))]
            for leaf in leaves:
                leaf.requires_grad_()
            try:
                with Widening(drawn(tape, draws)):
                    output = functional_call(module, state, ((self._given or _as_it_is)(tensor),))
                    found = _pulled(_outputs(output), cotangents, leaves)
            except Exception as error:
                raise UntraceableModel(f"{self.name} has no gradient: {_told(error)}") from error
        for handle, leaf, gradient in zip([None, *sorted(wanted)], leaves, found, strict=True):
            known = torch.zeros_like(leaf) if gradient is None else gradient
            observe(handle, known.detach().numpy())

    def _filled(
        self,
        module: nn.Module,
        tape: Tape,
        values: Callable[[str], np.ndarray],
        device: torch.device | None = None,
        dtype: torch.dtype = torch.float64,
    ) -> dict[str, Tensor]:
        """The module's state with values for all that the tape reads; the rest has none."""
        state = _hollow_state(module)
        for operation in tape.operations:
            if operation.name == "parameter":
                handle = operation.attributes["handle"]
                array = np.require(values(handle), np.float64, ["C", "W"])
                if array.shape != operation.shape:
                    raise ValueError(f"{handle} is {operation.shape}, given {array.shape}")
                state[handle] = torch.from_numpy(array).to(device, dtype)
        return state

    def own(self) -> Own:
        """What the model stores when it is built with its weights."""
        try:
            with torch.no_grad():
                module = self.factory().eval()
                if self._size and any(is_lazy(tensor) for tensor in module.parameters()):
                    height, width, channels = self._size
                    module((self._given or _as_it_is)(torch.zeros(1, channels, height, width)))
                stored = [*module.named_parameters(), *module.named_buffers()]
                return Own(
                    {
                        handle: as_array(tensor)
                        for handle, tensor in stored
                        if tensor.is_floating_point()
                    }
                )
        except Exception as error:
            raise UntraceableModel(
                f"{self.name}() does not build with its weights: {_told(error)}"
            ) from error

    @property
    def name(self) -> str:
        """The factory's own name."""
        function = getattr(self.factory, "func", self.factory)
        return str(getattr(function, "__qualname__", function))

    def _build(self, image: Tensor) -> nn.Module:
        """The module, in inference mode, built once and without weights."""
        if self._module is None:
            try:
                try:
                    with Weightless():
                        module = self.factory()
                except (NotImplementedError, RuntimeError):
                    # A factory that looks at its own weights or moves them needs real ones.
                    module = self.factory()
                if not isinstance(module, nn.Module):
                    raise TypeError(f"it returned {type(module).__name__}, not torch.nn.Module")
                module.eval()
                if any(is_lazy(tensor) for tensor in module.parameters()):
                    module(image)
            except Exception as error:
                raise UntraceableModel(
                    f"{self.name}() does not build: {_told(error)}; it must return a"
                    " torch.nn.Module when called without arguments"
                ) from error
            self._module = module
        return self._module

    def _forward(
        self, module: nn.Module, recorder: Recorder, state: dict[str, Tensor], image: Tensor
    ) -> None:
        recorder.begin(image)
        stored = {handle: state[handle] for handle, _ in module.named_buffers() if handle in state}
        entered = register_module_forward_pre_hook(recorder.enter)
        left = register_module_forward_hook(recorder.leave, always_call=True)
        try:
            with recorder:
                output = functional_call(module, state, ((self._given or _as_it_is)(image),))
            outputs = _outputs(output)
            if not outputs or not all(isinstance(leaf, Tensor) for leaf in outputs):
                raise TypeError(f"it returned {type(output).__name__}; return the logits")
        except UntraceableModel:
            raise
        except Exception as error:
            if error is recorder.interrupted:
                raise
            size = "x".join(str(n) for n in (*image.shape[2:], image.shape[1]))
            if ".item() cannot be called" in str(error):
                raise UntraceableModel(
                    f"{self.name}: what forward does depends on the values in the image"
                    f" ({_told(error).rpartition('(')[2]}: it must do the same with every image"
                ) from error
            raise UntraceableModel(
                f"{self.name}: forward fails on an image of {size}"
                f"{f' in {recorder.failed}' if recorder.failed else ''}: {_told(error)};"
                " it must take such an image, and do the same with every one"
            ) from error
        finally:
            entered.remove()
            left.remove()
        recorder.tape.outputs = tuple(recorder.of(leaf) for leaf in outputs)
        if module.training:
            recorder.tape.updates = recorder.replaced(stored, state)


class Hollow(Tensor):
    """A tensor with a shape and no values, that says it is an ordinary one on the CPU."""

    meta: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls: type[Hollow], meta: Tensor) -> Hollow:
        hollow = torch.Tensor._make_wrapper_subclass(
            cls,
            meta.shape,
            strides=meta.stride(),
            storage_offset=meta.storage_offset(),
            dtype=meta.dtype,
            device="cpu",
        )
        hollow.meta = meta
        return cast(Hollow, hollow)

    def __init__(self, meta: Tensor) -> None:
        pass

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise NotImplementedError(f"{func} outside the trace")


def _pulled(
    outputs: Sequence[Tensor], cotangents: Sequence[np.ndarray], leaves: list[Tensor]
) -> tuple[Tensor | None, ...]:
    """The gradient of the sum of ``outputs * cotangents`` by each leaf; None where it has none."""
    pulled = [
        (output, torch.from_numpy(cotangent))
        for output, cotangent in zip(outputs, cotangents, strict=False)
        if output.requires_grad  # one that was detached moves nothing
    ]
    if not pulled:
        return (None,) * len(leaves)
    some, above = zip(*pulled, strict=True)
    return torch.autograd.grad(some, leaves, above, allow_unused=True)


class Widening(TorchDispatchMode):
    """Float64 throughout: a cast from one floating type to another does nothing.

    ``draws`` are what is drawn at random, in order; None is left to PyTorch.
    """

    def __init__(self, draws: Iterator[float | None]) -> None:
        super().__init__()
        self._draws = draws

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        if name == "bernoulli_" and (draw := next(self._draws, None)) is not None:
            return args[0].fill_(float(draw < (args[1] if len(args) > 1 else 0.5)))
        if name == "_to_copy" and _both_floating(args[0].dtype, kwargs.get("dtype")):
            kwargs = {**kwargs, "dtype": args[0].dtype}
        return func(*args, **kwargs)


class Weightless(TorchFunctionMode):
    """Where weights are made, they are made on the meta device."""

    makers = frozenset({torch.empty, torch.empty_strided, torch.rand, torch.randn, torch.normal})

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in self.makers:
            dtype = kwargs.get("dtype") or torch.float64
            if dtype.is_floating_point:
                kwargs = {**kwargs, "device": "meta"}
        return func(*args, **kwargs)


Value = int | Callable[[], int] | None
"""A line of the tape; or what will write it, if it is ever read; or nothing that can be read."""


class Recorder(TorchDispatchMode):
    """Writes down every operator that reads the image or the state."""

    def __init__(self, module: nn.Module, state: dict[str, Tensor]) -> None:
        super().__init__()
        self.tape = Tape()
        self.failed = ""
        self.interrupted: Exception | None = None
        self._where = Where()
        self._handles = {id(tensor): handle for handle, tensor in state.items()}
        self._built = dict(module.named_buffers())
        self._known = WeakTensorKeyDictionary()
        self._views = WeakTensorKeyDictionary()
        self._stack = [""]
        self._names: dict[int, list[str]] = {}
        for name, child in module.named_modules(remove_duplicate=False):
            self._names.setdefault(id(child), []).append(name)

    def begin(self, image: Tensor, axes: str = "NCHW") -> None:
        """The first line of the tape."""
        self._know(image, self._added(self.tape.input(tuple(image.shape), axes)))

    def place(self) -> Where:
        """Where in the port the operator is that is being dispatched."""
        return Where(self._stack[-1], _line(sys._getframe(2)))

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
            return self._added(self.tape.constant(x))
        version, value = self._known.get(x, (-1, None))
        if version == x._version:
            return value if isinstance(value, int) else self._know(x, value())
        if x in self._views:
            return self._know(x, self._views[x]())
        if version >= 0 or self._depends(x._base):
            return self._know(x, self.unknown("write_through_another_view", [], x.shape))
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

    def emit(
        self, name: str, inputs: Sequence[int], shape: Sequence[int], **attributes: Any
    ) -> int:
        """Write one line."""
        return self._added(
            self.tape.emit(name, tuple(inputs), tuple(shape), self._where, **attributes)
        )

    def unknown(self, name: str, inputs: Sequence[int], shape: Sequence[int]) -> int:
        """Write one line that has no word in the vocabulary."""
        return self.emit(name, inputs, shape, unknown=True)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        read = [x for x in _tensors((args, kwargs)) if self._depends(x)]
        name = func.overloadpacket.__name__
        if name == "bernoulli_" and not read:
            return self._noise(func(*args, **kwargs), args[1] if len(args) > 1 else 0.5)
        if not read:
            return func(*args, **kwargs)
        if name in CONSTANTS:
            like = torch.empty(read[0].shape, dtype=read[0].dtype, device=read[0].device)
            return func(like, *args[1:], **kwargs)
        if name == "_to_copy" and _both_floating(read[0].dtype, kwargs.get("dtype")):
            kwargs = {**kwargs, "dtype": read[0].dtype}  # one precision throughout
        if name == "index":
            args = (args[0], [_numbered(index) for index in args[1]])
        if "out" in kwargs:
            raise NotImplementedError(f"{func} into out= is not traced")
        where = self.place()
        if func.is_view:
            result = self._execute(func, args, kwargs)
            shapes = [_on_meta(x) for x in _listed(result)]
            for i, output in enumerate(_listed(result)):
                self._views[output] = partial(self._viewed, where, func, shapes, args, kwargs, i)
            return result
        self._where = where
        operands = [(self.of(x), x) for x in read]  # before the operator overwrites one
        start = len(self.tape)
        result = self._execute(func, args, kwargs)
        values = self._translate(func, _listed(result), args, kwargs)
        value = _written(values[0])
        values[0] = value
        if func._schema.is_mutable:
            result = args[0]
            self._overwrite(result, value)
            self._made(value, result)
        else:
            for output, found in zip(_listed(result), values, strict=False):
                self._know(output, found)
        self._passed(range(start, len(self.tape)), operands, result)
        return result

    def _noise(self, x: Tensor, share: float) -> Tensor:
        """Ones, in the share given, and zeros: a uniform draw that falls below the share."""
        draw = self.emit("random", [], x.shape)
        self._overwrite(x, self.emit("less", [draw, self.of(share)], x.shape))
        return x

    def _execute(self, func: Any, args: Any, kwargs: Any) -> Any:
        """The shapes of what an operator returns."""
        result = func(*tree_map(_on_meta, args), **tree_map(_on_meta, kwargs))
        return tree_map(lambda x: Hollow(x) if isinstance(x, Tensor) else x, result)

    def _translate(self, func: Any, outputs: list[Any], args: Any, kwargs: Any) -> list[Value]:
        """Write an operator down: one value for each of its outputs."""
        name = func.overloadpacket.__name__
        plain = name.rstrip("_") if func._schema.is_mutable else name
        translate = TABLE.get(f"{plain}.{func._overloadname}") or TABLE.get(plain)
        if func.namespace != "aten":
            translate = None
        values = translate(self, outputs, *args, **kwargs) if translate else None
        if isinstance(values, int):
            return [values]
        if values is None:
            inputs = [self.of(x) for x in _tensors((args, kwargs))]
            word = f"{func.namespace}.{name}"
            values = [partial(self.unknown, word, inputs, x.shape) for x in _tensors(outputs)]
        return values

    def _viewed(
        self, where: Where, func: Any, shapes: list[Tensor], args: Any, kwargs: Any, index: int
    ) -> int:
        """A view is written down when it is read, as what it shows then."""
        source = self.of(args[0])
        before, self._where = self._where, where
        start = len(self.tape)
        value = _written(self._translate(func, shapes, args, kwargs)[index])
        self._where = before
        self._passed(range(start, value), [(source, args[0])], None)
        return value

    def _overwrite(self, target: Tensor, value: int) -> None:
        """An operator wrote into a tensor, perhaps through a view of another one."""
        version = target._version + 1  # torch counts a write when it is over
        if target._base is not None:
            self._known[target._base] = (version, self._patched(target._base, target, value))
        self._known[target] = (version, value)

    def _patched(self, base: Tensor, target: Tensor, value: int) -> Value:
        if base.numel() == target.numel() and base.is_contiguous() and target.is_contiguous():
            return partial(self.emit, "reshape", [value], base.shape)
        found = _part_of(base, target)
        if found is None:
            return partial(self.unknown, "write_into_view", [self.of(base), value], base.shape)
        axis, part = found
        version, patches = self._known.get(base, (-1, None))
        if not (
            isinstance(patches, Patches)
            and version == base._version
            and patches.axis == axis
            and all(part.stop <= old.start or old.stop <= part.start for old, _ in patches.parts)
        ):
            patches = Patches(self, axis, tuple(base.shape), self.of(base), [])
        patches.parts.append((part, value))
        return patches

    def _first_seen(self, x: Tensor) -> int:
        """A tensor that no operator on the tape has made: state, or a constant."""
        handle = self._handles.get(id(x))
        if handle is not None:
            index = self._added(self.tape.parameter(handle, tuple(x.shape)))
            built = self._built.get(handle)
            if built is not None and not built.is_meta:
                self.tape[index].attributes["array"] = built.numpy()
            return index
        if x.is_meta:
            raise TypeError(
                f"a tensor of {tuple(x.shape)} was made like a weight and is no parameter or buffer"
            )
        return self._added(self.tape.constant(as_array(x)))

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

    def _added(self, index: int) -> int:
        """A line has been written."""
        return index

    def _made(self, value: int, x: Tensor) -> None:
        """The tensor of a line is there."""

    def _passed(self, lines: range, operands: list[tuple[int, Tensor]], result: Any) -> None:
        """An operator has several lines, of which these have no tensor."""


class Replay(Recorder):
    """A recorder on real tensors that compares what it writes with a tape."""

    def __init__(
        self,
        module: nn.Module,
        state: dict[str, Tensor],
        traced: Tape,
        wanted: frozenset[int],
        observe: Callable[[int, np.ndarray], None],
        draws: Mapping[int, float] = NO_DRAWS,
    ) -> None:
        super().__init__(module, state)
        self._draws = draws
        self.wanted = set(wanted)
        self._traced = traced
        self._observe = observe
        self._before = torch.empty(0)

    def _noise(self, x: Tensor, share: float) -> Tensor:
        if (draw := self._draws.get(len(self.tape))) is not None:
            x.fill_(float(draw < share))
        return super()._noise(x, share)

    def _execute(self, func: Any, args: Any, kwargs: Any) -> Any:
        if func._schema.is_mutable:
            self._before = args[0].clone()
        return func(*args, **kwargs)

    def _added(self, index: int) -> int:
        here = self.tape[index]
        there = self._traced[index] if index < len(self._traced) else Operation("nothing", (), ())
        batch = self.tape[0].shape[0]
        if (here.name, len(here.shape)) != (there.name, len(there.shape)) or any(
            now not in (then, then * batch)
            for now, then in zip(here.shape, there.shape, strict=True)
        ):
            raise UntraceableModel(
                f"line {index} of the tape was {there.name} {there.shape} and is now {here.name}"
                f" {here.shape} in {here.where}; a model to be compared must compute the same"
                " steps every time"
            )
        return index

    def _made(self, value: int, x: Tensor) -> None:
        if value in self.wanted:
            self._show(value, as_array(x))

    def _passed(self, lines: range, operands: list[tuple[int, Tensor]], result: Any) -> None:
        for value in sorted(self.wanted.intersection(lines)):
            known = {i: as_array(self._before if x is result else x) for i, x in operands}
            try:
                array = evaluate(self.tape, value, known)
            except KeyError:  # a convolution without its bias, say
                continue
            self._show(value, array)

    def _show(self, value: int, array: np.ndarray) -> None:
        self.wanted.discard(value)
        try:
            self._observe(value, array)
        except Exception as error:
            self.interrupted = error  # the observer's own affair, not the model's
            raise


@dataclass(slots=True)
class Patches:
    """A tensor that was filled part by part along one axis: written down once it is read."""

    recorder: Recorder
    axis: int
    shape: tuple[int, ...]
    before: int
    parts: list[tuple[slice, int]]

    def __call__(self) -> int:
        """The parts, and what was there before between them."""
        pieces, end = [], 0
        for part, value in sorted(self.parts, key=lambda item: item[0].start):
            if part.start > end:
                pieces.append(self._kept(end, part.start))
            shape = (*self.shape[: self.axis], part.stop - part.start, *self.shape[self.axis + 1 :])
            pieces.append(self.recorder.emit("reshape", [value], shape))
            end = part.stop
        if end < self.shape[self.axis]:
            pieces.append(self._kept(end, self.shape[self.axis]))
        return self.recorder.emit("concat", pieces, self.shape, axis=self.axis)

    def _kept(self, start: int, stop: int) -> int:
        return _sliced(self.recorder, self.before, self.shape, self.axis, slice(start, stop, 1))


# What an operator is in the words of the tape: a function of the recorder, the outputs and
# the operator's own arguments, in aten's order and with aten's defaults.  It returns a value
# for each output (an int stands for one), or None where the tape has no words.

Translation = Callable[..., int | list[Value] | None]
F = TypeVar("F", bound=Translation)
TABLE: dict[str, Translation] = {}
CONSTANTS = frozenset(
    "empty_like zeros_like ones_like full_like new_empty new_zeros new_ones new_full".split()
)


def aten(*names: str) -> Callable[[F], F]:
    """The function below translates these operators (``name`` or ``name.overload``)."""

    def register(translation: F) -> F:
        TABLE.update(dict.fromkeys(names, translation))
        return translation

    return register


def _nothing(r: Recorder, outs: list[Tensor], x: Tensor, *_: Any, **__: Any) -> int | None:
    """A copy; a cast between floating types is one."""
    same = x.dtype == outs[0].dtype or _both_floating(x.dtype, outs[0].dtype)
    return r.of(x) if same else None


def _elementwise(r: Recorder, outs: list[Tensor], *xs: Any, word: str) -> int:
    return r.emit(word, [r.of(x) for x in xs], outs[0].shape)


def _sum_or_difference(
    r: Recorder, outs: list[Tensor], x: Any, y: Any, alpha: float = 1, *, word: str
) -> int:
    second = r.of(y)
    if alpha != 1:
        second = r.emit("mul", [second, r.of(alpha)], getattr(y, "shape", ()))
    return r.emit(word, [r.of(x), second], outs[0].shape)


def _reshape(r: Recorder, outs: list[Tensor], x: Tensor, *_: Any, **__: Any) -> int:
    return r.of(x) if x.shape == outs[0].shape else r.emit("reshape", [r.of(x)], outs[0].shape)


def _reduce(
    r: Recorder,
    outs: list[Tensor],
    x: Tensor,
    dim: int | Sequence[int] | None = None,
    keepdim: bool = False,
    *,
    dtype: Any = None,
    word: str,
) -> list[Value]:
    dims = [dim] if isinstance(dim, int) else dim or range(x.ndim)
    axes = tuple(sorted(d % x.ndim for d in dims))
    value = r.emit("reduce", [r.of(x)], outs[0].shape, reduce=word, axes=axes, keep=keepdim)
    return [value, *_positions(r, f"{word}.indices", x, outs)]


def _batch_norm(
    r: Recorder,
    outs: list[Tensor],
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    mean: Tensor | None,
    variance: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    *_: Any,
) -> list[Value] | None:
    if not training and (mean is None or variance is None):
        return None
    inputs = [-1 if p is None else r.of(p) for p in (x, weight, bias, mean, variance)]
    # The share that is kept, not the share that is new; the variance that flows in is unbiased.
    kept = {"momentum": 1 - momentum, "unbiased": True} if training else {}
    return [r.emit("batch_norm", inputs, x.shape, axis=1, epsilon=eps, **kept), None, None]


@aten("upsample_nearest2d")
def _(r: Recorder, outs: list[Tensor], x: Tensor, *_: Any) -> int | None:
    factor = tuple(n // m for n, m in zip(outs[0].shape[2:], x.shape[2:], strict=True))
    if outs[0].shape[2:] != tuple(n * m for n, m in zip(x.shape[2:], factor, strict=True)):
        return None
    return r.emit("upsample", [r.of(x)], outs[0].shape, factor=factor)


@aten("native_dropout")
def _(
    r: Recorder, outs: list[Tensor], x: Tensor, rate: float, training: bool | None
) -> list[Value]:
    if not training:
        return [r.of(x), None]
    return [r.emit("dropout", [r.of(x)], x.shape, rate=rate), None]


@aten("_native_batch_norm_legit_no_training")
def _(
    r: Recorder, outs: list[Tensor], x: Tensor, weight: Any, bias: Any, mean: Any, variance: Any,
    momentum: float, eps: float,
) -> list[Value] | None:  # fmt: skip
    return _batch_norm(r, outs, x, weight, bias, mean, variance, False, momentum, eps)


@aten("convolution")
def _(
    r: Recorder, outs: list[Tensor], x: Tensor, weight: Tensor, bias: Tensor | None,
    stride: list[int], padding: list[int], dilation: list[int], transposed: bool,
    output_padding: list[int], groups: int,
) -> int | None:  # fmt: skip
    shape = outs[0].shape
    if transposed or len(shape) != 4:
        return None
    axes = (0, 1, 2, 3)
    value = r.emit(
        "conv", [r.of(x), r.of(weight)], shape, lhs=axes, rhs=axes, out=axes,
        stride=_spread(stride, 2), padding=tuple((p, p) for p in _spread(padding, 2)),
        dilation=_spread(dilation, 2), groups=groups,
    )  # fmt: skip
    if bias is None:
        return value
    by_channel = r.emit("reshape", [r.of(bias)], (shape[1], 1, 1))
    return r.emit("add", [value, by_channel], shape)


@aten("mm", "mv", "dot")
def _(r: Recorder, outs: list[Tensor], x: Tensor, y: Tensor) -> int:
    return r.emit("dot", [r.of(x), r.of(y)], outs[0].shape, contract=(x.ndim - 1, 0))


@aten("bmm")
def _(r: Recorder, outs: list[Tensor], x: Tensor, y: Tensor) -> int | None:
    if len(x) > 1 and y.stride(0) == 0:
        # One matrix for all: torch spreads the weights of a dense layer over rows of pixels.
        right = r.of(y)
        while r.tape[right].name in ("reshape", "broadcast") and r.tape[right].shape != y.shape[1:]:
            (right,) = r.tape[right].inputs
        if r.tape[right].shape == y.shape[1:]:
            return r.emit("dot", [r.of(x), right], outs[0].shape, contract=(2, 0))
    if len(x) != 1:
        return None
    left = r.emit("reshape", [r.of(x)], x.shape[1:])
    right = r.emit("reshape", [r.of(y)], y.shape[1:])
    value = r.emit("dot", [left, right], outs[0].shape[1:], contract=(1, 0))
    return r.emit("reshape", [value], outs[0].shape)


@aten("addmm")
def _(
    r: Recorder, outs: list[Tensor], bias: Tensor, x: Tensor, y: Tensor, *,
    beta: float = 1, alpha: float = 1,
) -> int | None:  # fmt: skip
    if (beta, alpha) != (1, 1):
        return None
    value = r.emit("dot", [r.of(x), r.of(y)], outs[0].shape, contract=(1, 0))
    return r.emit("add", [value, r.of(bias)], outs[0].shape)


def _max_pool(
    r: Recorder, outs: list[Tensor], x: Tensor, kernel: list[int], stride: Sequence[int] = (),
    padding: Sequence[int] = (0,), dilation: Sequence[int] = (1,), ceil_mode: bool = False,
    *, rank: int,
) -> list[Value] | None:  # fmt: skip
    if any(d != 1 for d in dilation):
        return None
    size, step, pad = (_spread(a, rank) for a in (kernel, stride or kernel, padding))
    beyond = _beyond(x, outs[0], size, step, pad)
    pads = tuple((p, p + b) for p, b in zip(pad, beyond, strict=True))
    value = _window(r, r.of(x), outs[0].shape, size, step, pads, reduce="max")
    return [value, *_positions(r, "max_pool.indices", x, outs)]


def _avg_pool(
    r: Recorder, outs: list[Tensor], x: Tensor, kernel: list[int], stride: Sequence[int] = (),
    padding: Sequence[int] = (0,), ceil_mode: bool = False, count_include_pad: bool = True,
    divisor_override: int | None = None, *, rank: int,
) -> int:  # fmt: skip
    size, step, pad = (_spread(a, rank) for a in (kernel, stride or kernel, padding))
    beyond = _beyond(x, outs[0], size, step, pad)
    value, shape = r.of(x), outs[0].shape
    pads = tuple((p, p + b) for p, b in zip(pad, beyond, strict=True))
    if divisor_override:
        value = _window(r, value, shape, size, step, pads, reduce="sum")
        if divisor_override != 1:
            value = r.emit("div", [value, r.of(divisor_override)], shape)
        return value
    if count_include_pad and any(beyond):
        # What ceil_mode reaches beyond the padding is not in the divisor; the padding is.
        value = _padded(r, value, x.shape, [(p, p) for p in pad], 0.0)
        pads = tuple((0, b) for b in beyond)
    count = count_include_pad and not any(beyond)
    return _window(r, value, shape, size, step, pads, reduce="mean", count_padding=count)


def _adaptive_pool(
    r: Recorder, outs: list[Tensor], x: Tensor, output_size: Sequence[int], *, rank: int, word: str
) -> list[Value] | None:
    size, step = [], []
    for inside, out in zip(x.shape[-rank:], outs[0].shape[-rank:], strict=True):
        starts = [i * inside // out for i in range(out)]
        stops = [-(-(i + 1) * inside // out) for i in range(out)]
        lengths = {b - a for a, b in zip(starts, stops, strict=True)}
        steps = {b - a for a, b in pairwise(starts)} or {inside}
        if len(lengths) > 1 or len(steps) > 1 or 0 in steps:
            return None
        size.append(lengths.pop())
        step.append(steps.pop())
    attributes: dict[str, Any] = {"count_padding": True} if word == "mean" else {}
    pads = ((0, 0),) * rank
    if x.shape == outs[0].shape:
        value = r.of(x)
    else:
        value = _window(r, r.of(x), outs[0].shape, size, step, pads, reduce=word, **attributes)
    return [value, *_positions(r, "adaptive_max_pool.indices", x, outs)]


@aten("var.correction")
def _(
    r: Recorder, outs: list[Tensor], x: Tensor, dim: Sequence[int] | None = None,
    correction: float | None = 1, keepdim: bool = False,
) -> int:  # fmt: skip
    axes = tuple(sorted(d % x.ndim for d in (dim if dim else range(x.ndim))))
    wide = [1 if axis in axes else n for axis, n in enumerate(x.shape)]
    mean = r.emit("reduce", [r.of(x)], wide, reduce="mean", axes=axes, keep=True)
    apart = r.emit("sub", [r.of(x), mean], x.shape)
    squares = r.emit("mul", [apart, apart], x.shape)
    shape = outs[0].shape
    total = r.emit("reduce", [squares], shape, reduce="sum", axes=axes, keep=keepdim)
    count = x.numel() // max(outs[0].numel(), 1) - (1 if correction is None else correction)
    return r.emit("div", [total, r.of(float(count))], shape)


@aten("_softmax")
def _(r: Recorder, outs: list[Tensor], x: Tensor, dim: int, half: bool) -> int:
    return r.emit("softmax", [r.of(x)], x.shape, axis=dim % x.ndim)


@aten("_log_softmax")
def _(r: Recorder, outs: list[Tensor], x: Tensor, dim: int, half: bool) -> int:
    return r.emit("log", [r.emit("softmax", [r.of(x)], x.shape, axis=dim % x.ndim)], x.shape)


@aten("clamp", "hardtanh", "clamp_min")
def _clamp(r: Recorder, outs: list[Tensor], x: Tensor, low: Any = None, high: Any = None) -> int:
    value = r.of(x)
    if low is not None:
        value = r.emit("max", [value, r.of(low)], x.shape)
    if high is not None:
        value = r.emit("min", [value, r.of(high)], x.shape)
    return value


@aten("clamp_max")
def _(r: Recorder, outs: list[Tensor], x: Tensor, high: Any) -> int:
    return _clamp(r, outs, x, None, high)


@aten("leaky_relu")
def _(r: Recorder, outs: list[Tensor], x: Tensor, slope: float = 0.01) -> int | None:
    if not 0 <= slope <= 1:
        return None
    below = r.emit("mul", [r.of(x), r.of(slope)], x.shape)
    return r.emit("max", [r.of(x), below], x.shape)


@aten("silu")
def _(r: Recorder, outs: list[Tensor], x: Tensor) -> int:
    return r.emit("mul", [r.of(x), r.emit("logistic", [r.of(x)], x.shape)], x.shape)


@aten("reciprocal")
def _(r: Recorder, outs: list[Tensor], x: Tensor) -> int:
    return r.emit("div", [r.of(1.0), r.of(x)], x.shape)


@aten("rsub")
def _(r: Recorder, outs: list[Tensor], x: Tensor, y: Any, alpha: float = 1) -> int:
    return _sum_or_difference(r, outs, y, x, alpha, word="sub")


@aten("lerp")
def _(r: Recorder, outs: list[Tensor], x: Tensor, y: Tensor, weight: Any) -> int:
    way = r.emit("sub", [r.of(y), r.of(x)], outs[0].shape)
    part = r.emit("mul", [way, r.of(weight)], outs[0].shape)
    return r.emit("add", [r.of(x), part], outs[0].shape)


@aten("permute")
def _permute(r: Recorder, outs: list[Tensor], x: Tensor, dims: Sequence[int]) -> int:
    axes = tuple(d % x.ndim for d in dims)
    if axes == tuple(range(x.ndim)):
        return r.of(x)
    return r.emit("transpose", [r.of(x)], outs[0].shape, axes=axes)


@aten("t")
def _(r: Recorder, outs: list[Tensor], x: Tensor) -> int:
    return _permute(r, outs, x, range(x.ndim)[::-1])


@aten("transpose")
def _(r: Recorder, outs: list[Tensor], x: Tensor, a: int, b: int) -> int:
    dims = list(range(x.ndim))
    dims[a], dims[b] = dims[b], dims[a]
    return _permute(r, outs, x, dims)


def _broadcast(r: Recorder, value: int, before: Sequence[int], shape: Sequence[int]) -> int:
    if tuple(before) == tuple(shape):
        return value
    axes = tuple(range(len(shape) - len(before), len(shape)))
    return r.emit("broadcast", [value], shape, axes=axes)


@aten("expand")
def _(r: Recorder, outs: list[Tensor], x: Tensor, *_: Any, **__: Any) -> int:
    return _broadcast(r, r.of(x), x.shape, outs[0].shape)


@aten("copy")
def _(r: Recorder, outs: list[Tensor], x: Tensor, source: Tensor, *_: Any) -> int:
    return _broadcast(r, r.of(source), source.shape, x.shape)


@aten("fill")
def _(r: Recorder, outs: list[Tensor], x: Tensor, number: Any) -> int:
    return _broadcast(r, r.of(number), (), x.shape)


@aten("zero")
def _(r: Recorder, outs: list[Tensor], x: Tensor) -> int:
    return _broadcast(r, r.of(0.0), (), x.shape)


@aten("flip")
def _(r: Recorder, outs: list[Tensor], x: Tensor, dims: Sequence[int]) -> int:
    return r.emit("reverse", [r.of(x)], x.shape, axes=tuple(d % x.ndim for d in dims))


@aten("cat")
def _(r: Recorder, outs: list[Tensor], xs: Sequence[Tensor], dim: int = 0) -> int:
    return r.emit("concat", [r.of(x) for x in xs], outs[0].shape, axis=dim % outs[0].ndim)


@aten("stack")
def _(r: Recorder, outs: list[Tensor], xs: Sequence[Tensor], dim: int = 0) -> int:
    axis = dim % outs[0].ndim
    thin = (*outs[0].shape[:axis], 1, *outs[0].shape[axis + 1 :])
    pieces = [r.emit("reshape", [r.of(x)], thin) for x in xs]
    return r.emit("concat", pieces, outs[0].shape, axis=axis)


@aten("slice")
def _(
    r: Recorder, outs: list[Tensor], x: Tensor, dim: int = 0,
    start: int | None = None, stop: int | None = None, step: int = 1,
) -> int:  # fmt: skip
    bounds = slice(start, stop, step).indices(x.shape[dim])
    return _part(r, x, dim % x.ndim, slice(*bounds), outs[0].shape)


@aten("select")
def _(r: Recorder, outs: list[Tensor], x: Tensor, dim: int, index: int) -> int:
    start = index % x.shape[dim]
    return _part(r, x, dim % x.ndim, slice(start, start + 1, 1), outs[0].shape)


@aten("split", "split_with_sizes")
def _(
    r: Recorder, outs: list[Tensor], x: Tensor, sizes: int | list[int], dim: int = 0
) -> list[Value]:
    sizes = [out.shape[dim] for out in outs]
    ends = [*accumulate(sizes)]
    return [
        partial(_part, r, x, dim % x.ndim, slice(end - size, end, 1), out.shape)
        for size, end, out in zip(sizes, ends, outs, strict=True)
    ]


@aten("unbind")
def _(r: Recorder, outs: list[Tensor], x: Tensor, dim: int = 0) -> list[Value]:
    return [
        partial(_part, r, x, dim % x.ndim, slice(i, i + 1, 1), out.shape)
        for i, out in enumerate(outs)
    ]


@aten("index")
def _(r: Recorder, outs: list[Tensor], x: Tensor, indices: Sequence[Tensor | None]) -> int | None:
    given = [(axis, index) for axis, index in enumerate(indices) if index is not None]
    if len(given) != 1:
        return None
    return _take(r, outs[0], x, *given[0])


@aten("index_select")
def _(r: Recorder, outs: list[Tensor], x: Tensor, dim: int, index: Tensor) -> int | None:
    return _take(r, outs[0], x, dim % x.ndim, index)


@aten("constant_pad_nd")
def _(r: Recorder, outs: list[Tensor], x: Tensor, pad: Sequence[int], value: float = 0) -> int:
    pads = list(zip(pad[-2::-2], pad[-1::-2], strict=True))
    result, shape = r.of(x), list(x.shape)
    for axis, (before, after) in enumerate(pads, start=x.ndim - len(pads)):
        if before < 0 or after < 0:  # a crop
            kept = slice(max(0, -before), shape[axis] + min(0, after), 1)
            result = _sliced(r, result, shape, axis, kept)
            shape[axis] = kept.stop - kept.start
    return _padded(r, result, shape, [(max(0, a), max(0, b)) for a, b in pads], float(value))


@aten("replication_pad1d", "replication_pad2d", "replication_pad3d")
def _(r: Recorder, outs: list[Tensor], x: Tensor, pad: Sequence[int]) -> int | None:
    pads = list(zip(pad[-2::-2], pad[-1::-2], strict=True))
    return None if min(pad) < 0 else _padded(r, r.of(x), x.shape, pads, "edge")


SEVERAL: dict[str, Translation] = {
    "clone detach alias lift_fresh contiguous _to_copy positive dropout": _nothing,
    "view _unsafe_view reshape _reshape_alias unsqueeze squeeze flatten unflatten": _reshape,
    "add": partial(_sum_or_difference, word="add"),
    "sub": partial(_sum_or_difference, word="sub"),
    "mean": partial(_reduce, word="mean"),
    "sum": partial(_reduce, word="sum"),
    "amax max.dim max.default": partial(_reduce, word="max"),
    "amin min.dim min.default": partial(_reduce, word="min"),
    "native_batch_norm cudnn_batch_norm miopen_batch_norm": _batch_norm,
    "avg_pool2d": partial(_avg_pool, rank=2),
    "avg_pool3d": partial(_avg_pool, rank=3),
    "max_pool2d_with_indices": partial(_max_pool, rank=2),
    "max_pool3d_with_indices": partial(_max_pool, rank=3),
    "_adaptive_avg_pool2d": partial(_adaptive_pool, rank=2, word="mean"),
    "adaptive_max_pool2d": partial(_adaptive_pool, rank=2, word="max"),
    "sigmoid": partial(_elementwise, word="logistic"),
    "maximum": partial(_elementwise, word="max"),
    "minimum": partial(_elementwise, word="min"),
    # A division that rounds has an overload of its own and stays unknown.
    "div.Tensor div.Scalar true_divide": partial(_elementwise, word="div"),
    **{
        name: partial(_elementwise, word=name)
        for name in "neg exp log tanh sqrt rsqrt abs sign relu mul pow".split()
    },
}
for _names, _translation in SEVERAL.items():
    aten(*_names.split())(_translation)


def _window(
    r: Recorder,
    value: int,
    shape: Sequence[int],
    size: Sequence[int],
    stride: Sequence[int],
    pads: Sequence[tuple[int, int]],
    **attributes: Any,
) -> int:
    rest = len(shape) - len(size)
    return r.emit(
        "window", [value], shape, size=(1,) * rest + tuple(size),
        stride=(1,) * rest + tuple(stride), padding=((0, 0),) * rest + tuple(pads), **attributes,
    )  # fmt: skip


def _beyond(
    x: Tensor, out: Tensor, size: Sequence[int], stride: Sequence[int], pad: Sequence[int]
) -> list[int]:
    """How far ``ceil_mode`` lets the last window reach beyond the padded input, along each axis."""
    return [
        max(0, (o - 1) * s + k - (n + 2 * p))
        for n, o, k, s, p in zip(
            x.shape[-len(size) :], out.shape[-len(size) :], size, stride, pad, strict=True
        )
    ]


def _positions(r: Recorder, name: str, x: Tensor, outs: list[Tensor]) -> list[Value]:
    """The second output of a maximum, its position: written down only if it is read."""
    return [partial(r.unknown, f"aten.{name}", [r.of(x)], out.shape) for out in outs[1:]]


def _padded(
    r: Recorder,
    value: int,
    shape: Sequence[int],
    pads: Sequence[tuple[int, int]],
    fill: float | str,
) -> int:
    padding = ((0, 0),) * (len(shape) - len(pads)) + tuple(pads)
    if not any(map(any, padding)):
        return value
    padded = [n + before + after for n, (before, after) in zip(shape, padding, strict=True)]
    return r.emit("pad", [value], padded, padding=padding, value=fill)


def _sliced(r: Recorder, value: int, shape: Sequence[int], axis: int, part: slice) -> int:
    if part == slice(0, shape[axis], 1):
        return value
    start, stop, step = [0] * len(shape), list(shape), [1] * len(shape)
    start[axis], stop[axis], step[axis] = part.start, part.stop, part.step
    result = list(shape)
    result[axis] = len(range(part.start, part.stop, part.step))
    return r.emit("slice", [value], result, start=tuple(start), stop=tuple(stop), step=tuple(step))


def _part(r: Recorder, x: Tensor, axis: int, part: slice, shape: Sequence[int]) -> int:
    value = _sliced(r, r.of(x), x.shape, axis, part)
    return value if x.ndim == len(shape) else r.emit("reshape", [value], shape)


def _take(r: Recorder, out: Tensor, x: Tensor, axis: int, index: Tensor) -> int | None:
    if index.ndim != 1 or isinstance(index, Hollow):
        return None
    places = tuple(place % x.shape[axis] for place in index.tolist())
    return r.emit("take", [r.of(x)], out.shape, axis=axis, indices=places)


def _spread(sizes: Sequence[int], rank: int) -> tuple[int, ...]:
    return tuple(sizes) * (rank if len(sizes) == 1 else 1)


def _part_of(base: Tensor, view: Tensor) -> tuple[int, slice] | None:
    """Along which one axis, and from where to where, a view is a part of its base."""
    offset = view.storage_offset() - base.storage_offset()
    for axis, step in enumerate(base.stride()):
        whole = list(zip(base.shape, base.stride(), strict=True))
        part = list(zip(view.shape, view.stride(), strict=True))
        count = 1
        if len(part) == len(whole) and part[axis][1] == step:
            count = part.pop(axis)[0]
        del whole[axis]
        if part == whole and step and offset % step == 0:
            return axis, slice(offset // step, offset // step + count, 1)
    return None


def _written(value: Value) -> int:
    return cast(int, value() if callable(value) else value)


def _listed(result: Any) -> list[Tensor]:
    return [result] if isinstance(result, Tensor) else list(result)


def _tensors(tree: Any) -> list[Tensor]:
    return [x for x in tree_leaves(tree) if isinstance(x, Tensor)]


def _on_meta(x: Any) -> Any:
    if isinstance(x, Hollow):
        return x.meta
    if isinstance(x, Tensor):
        return x.to("meta")
    return torch.device("meta") if isinstance(x, torch.device) else x


def _both_floating(a: torch.dtype, b: torch.dtype | None) -> bool:
    return b is not None and a.is_floating_point and b.is_floating_point


def _numbered(index: Tensor | None) -> Tensor | None:
    """A constant mask as the positions that it selects: a mask has no shape to trace."""
    if index is None or index.dtype != torch.bool or index.ndim != 1 or isinstance(index, Hollow):
        return index
    return index.nonzero().flatten()


def _hollow_state(module: nn.Module) -> dict[str, Tensor]:
    """Everything that is stored as numbers with a fraction; what is shared, once."""
    buffers = {k: b for k, b in module.named_buffers() if b.is_floating_point()}
    return {
        handle: Hollow(torch.empty(tensor.shape, dtype=torch.float64, device="meta"))
        for handle, tensor in {**dict(module.named_parameters()), **buffers}.items()
    }


def _line(frame: FrameType | None) -> str:
    """The line outside PyTorch that is being executed, as ``folder/file.py:41``."""
    while frame is not None and frame.f_code is not TorchPort._forward.__code__:
        file = frame.f_code.co_filename
        if not file.startswith(TORCH) and file != __file__:
            return _short(file, frame.f_lineno)
        frame = frame.f_back
    return ""


def _as_it_is(image: Tensor) -> Tensor:
    return image


def _channels_last(image: Tensor) -> Tensor:
    return image.permute(0, 2, 3, 1)


def _outputs(output: Any) -> list[Any]:
    """The tensors that a forward returned, in whatever they are packed."""
    if is_dataclass(output):
        output = [getattr(output, field.name) for field in fields(output)]
    return [leaf for leaf in tree_leaves(output) if leaf is not None]


def _told(error: Exception) -> str:
    """An exception in one line: what, and where outside PyTorch it was raised."""
    message = str(error).strip().split("\n")[0]
    places = [(f.f_code.co_filename, line) for f, line in walk_tb(error.__traceback__)]
    outside = [place for place in places if not place[0].startswith(TORCH) and place[0] != __file__]
    where = f" ({_short(*outside[-1])})" if outside else ""
    return f"{type(error).__name__}: {message}{where}"


def _short(file: str, line: int) -> str:
    return "/".join(Path(file).parts[-2:]) + f":{line}"
