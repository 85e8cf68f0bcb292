"""PyTorch's tracer: what an ``nn.Module`` computes, one aten operator after the other.

The factory is called with its weights on the meta device: what ``torch.empty`` and the random
functions would allocate has a shape and no memory.  Everything else that the factory makes
(index lists, masks, codes) is small and real, so its values are known.

The forward runs under a :class:`.Recorder` on :class:`.Hollow` tensors, which look as if they
were on the CPU and have a shape only.  An operator that reads at least one tensor of the tape
is written down; one that reads none computes a constant, and really computes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
)
from torch.nn.parameter import is_lazy

from conformance.printable import message
from conformance.trace.fresh import Fresh
from conformance.trace.places import calls_the_port, raised_at, reason, refusing
from conformance.trace.port import (
    PLAIN,
    Arrays,
    CannotExecute,
    Gradients,
    Inside,
    NoGradient,
    Observer,
    Own,
    Run,
    Size,
    Unfollowed,
    UntraceableModel,
    checked,
    images,
)
from conformance.trace.tape import Fault, Tape
from conformance.trace.torch.build import (
    frozen,
    installed,
    registered,
    switched,
    unbuilt,
    untrainable,
    unwrapped,
    whole,
)
from conformance.trace.torch.compiler import unloaded
from conformance.trace.torch.execution import (
    Came,
    as_array,
    compiled,
    computing,
    gpu,
    leaves_of,
    plain,
    pulled,
)
from conformance.trace.torch.hollow import (
    Hollow,
    Weightless,
    Widening,
    filled,
    hollow_state,
    tensor,
)
from conformance.trace.torch.images import (
    as_it_is,
    channels_behind,
    channels_first,
    channels_last,
    unpacked,
)
from conformance.trace.torch.recorder import Recorder
from conformance.trace.torch.replay import Before, Replay, Watch

__all__ = ["TorchPort", "gpu", "port", "versions"]


def port(factory: Callable[[], Any]) -> TorchPort:
    """The model that ``factory()`` builds, for tracing and running."""
    return TorchPort(factory)


def versions() -> dict[str, str]:
    """The release that the results depend on."""
    return {"torch": str(torch.__version__)}


@dataclass(frozen=True, slots=True)
class Back:
    """A forward that can be gone back: what it read, and what it returned."""

    tape: Tape
    module: nn.Module
    state: dict[str, Tensor]
    leaves: dict[str | None, Tensor]
    outputs: list[Any]


class Failed(UntraceableModel):
    """Forward has raised an exception, in a module and for a reason."""

    def __init__(self, message: str, where: str) -> None:
        super().__init__(message)
        self.where = where


class TorchPort:
    """One factory of an ``nn.Module``; see :class:`~conformance.trace.port.Port`."""

    framework = "torch"
    trains = True

    def __init__(self, factory: Callable[[], Any]) -> None:
        self.factory = Fresh(factory, whole)
        self.name = self.factory.name
        self._made: Any = None
        self._faults: list[Fault] = []
        self._noted: list[Fault] = []
        self._module: nn.Module | None = None
        #: A model with its weights whose values have been looked at.
        self._whole: Any = None
        #: The way back through the last run, where it was asked for.
        self._back: Back | None = None
        #: The layout in which it takes its images, found out when it is first traced.
        self._given: Callable[[Tensor], Tensor] | None = None
        self._size: Size | None = None
        #: Whether it has been called plainly because it could not be traced.
        self._asked = False

    def built(self) -> object:
        """What the factory returns, without weights where it allows that."""
        if self._made is None:
            with refusing(f"{self.name}() does not build", words=unbuilt), unloaded():
                try:
                    with Weightless():
                        self._made = self.factory()
                except (NotImplementedError, RuntimeError, TypeError):
                    # A factory that looks at its own weights or moves them needs real ones.
                    self._made = self.factory()
        return self._made

    def trace(self, size: Size, training: bool = False, batch: int | None = None) -> Tape:
        """See :class:`~conformance.trace.port.Port`."""
        count = images(training, batch)
        if self._given is None:
            self._given = as_it_is
            try:
                return self._trace(size, training, count)
            except UntraceableModel as refused:
                self._given = channels_last
                with suppress(UntraceableModel):
                    return self._trace(size, training, count)
                self._given = None
                if isinstance(refused, Failed) and self._runs(size):
                    said = f"{self.name}: forward runs and cannot be followed{refused.where}"
                    raise Unfollowed(said) from refused
                raise
        return self._trace(size, training, count)

    def _trace(self, size: Size, training: bool, batch: int) -> Tape:
        self._size = size
        self.built()  # in the type that its author has by default
        height, width, channels = size
        image = torch.empty(batch, channels, height, width, dtype=torch.float64, device="meta")
        with torch.no_grad(), computing(), unloaded():
            module = switched(self._ready(image), training)
            state = hollow_state(module)
            recorder = Recorder(module, state)
            self._forward(module, recorder, state, Hollow(image))
        recorder.tape.stored = {handle: tuple(x.shape) for handle, x in state.items()}
        recorder.tape.faults += self._faults
        recorder.tape.noted += self._noted
        recorder.tape.frozen = frozen(module)
        return checked(recorder.tape)

    def run(self, run: Run, wanted: frozenset[int], observe: Observer) -> dict[str, np.ndarray]:
        """See :class:`~conformance.trace.port.Port`; compiled by TorchInductor."""
        with torch.set_grad_enabled(run.returns), computing(run.how) as device:
            image, module, state = self._filled(run, device)
            if run.how.compiled:
                with refusing(f"{self.name} is not compiled here", CannotExecute):
                    results = compiled(module, self._given or as_it_is, state, image)
                for value, result in zip(run.tape.outputs, results, strict=True):
                    if value in wanted:
                        observe(value, as_array(result))
                return {}
            buffers = [handle for handle, _ in module.named_buffers() if handle in state]
            kept = {h: state[h].clone() for h in buffers if not isinstance(state[h], Hollow)}
            replay = Replay(module, state, run, wanted, observe)
            leaves = leaves_of(module, state, image) if run.returns else {}
            given = image.clone() if run.returns else image  # no leaf: a port may write into it
            try:
                outputs = self._forward(module, replay, state, given)
            except UntraceableModel as failed:
                cause = failed.__cause__
                if run.how.dtype != PLAIN.dtype and isinstance(cause, NotImplementedError):
                    raise CannotExecute(f"PyTorch on the {device}: {cause}") from failed
                raise
        replay.finish(self.name)
        if run.returns:
            self._back = Back(run.tape, module, state, leaves, outputs)
        # A batch norm replaces its statistics without a word: they are compared.
        return {h: as_array(state[h]) for h, old in kept.items() if not torch.equal(state[h], old)}

    def gradient(self, run: Run, cotangents: Arrays, wanted: frozenset[str]) -> Gradients:
        """See :class:`~conformance.trace.port.Port`; a module's own hooks take part."""
        with suppress(NoGradient):  # which may be for what has been handed over
            return self._pulled(run, cotangents, wanted, run.came)
        try:
            return self._pulled(run, cotangents, wanted)
        except NoGradient as failed:
            with suppress(UntraceableModel), self._watched(run, frozenset()) as (watch, there):
                way = partial(pulled, there.outputs, cotangents, there.leaves)
                failed.where = watch.overwritten(there.outputs, way)
            raise

    def _pulled(
        self, run: Run, cotangents: Arrays, wanted: frozenset[str], came: Came = None
    ) -> Gradients:
        back, self._back = self._back, None
        with self._backward(run):
            if back is None or back.tape is not run.tape or not back.leaves.keys() >= wanted:
                back = self._there(run, wanted)
            # What recomputes on the way back has to find the same state.
            with installed(back.module, back.state):
                leaves = {handle: back.leaves[handle] for handle in (None, *sorted(wanted))}
                return pulled(back.outputs, cotangents, leaves, came)

    def inside(self, run: Run, cotangents: Arrays, wanted: frozenset[int]) -> Inside:
        """See :class:`~conformance.trace.port.Port`; of tensors that forward itself has made."""
        with self._watched(run, wanted) as (watch, there):
            watch.hang()
            pulled(there.outputs, cotangents, there.leaves)
        return watch.gradients

    @contextmanager
    def _backward(self, run: Run) -> Iterator[None]:
        """The way back: in float64, refused in one line."""
        with (
            computing(),
            unloaded(),
            refusing(f"{self.name} cannot go backward", NoGradient),
            Widening(run.drawn()),
        ):
            yield

    @contextmanager
    def _watched(self, run: Run, wanted: frozenset[int]) -> Iterator[tuple[Watch, Back]]:
        """A forward that is watched, and the way back from it."""
        with torch.enable_grad(), computing():
            image, module, state = self._filled(run)
            watch = Watch(module, state, run, wanted)
            leaves = leaves_of(module, state, image)
            with Before(watch):
                outputs = self._forward(module, watch, state, image.clone())
            with self._backward(run), installed(module, state):
                yield watch, Back(run.tape, module, state, leaves, outputs)

    def _filled(
        self, run: Run, device: torch.device | None = None
    ) -> tuple[Tensor, nn.Module, dict[str, Tensor]]:
        """The image of a run, the module, and its stored arrays with their numbers."""
        image = tensor(run.image.transpose(0, 3, 1, 2).copy(), device)
        module = switched(self._ready(image.to("meta")), run.training)
        return image, module, filled(hollow_state(module), run, device)

    def _there(self, run: Run, wanted: frozenset[str]) -> Back:
        """The way from the leaves to the outputs, unobserved."""
        image, module, state = self._filled(run)
        leaves = leaves_of(module, state, image, wanted)
        with installed(module, state):
            return Back(
                run.tape, module, state, leaves, unpacked(self._call(module, image.clone()))
            )

    def own(self) -> Own:
        """What the model stores when it is built with its weights."""
        with refusing(f"{self.name}() does not build with its weights"):
            self._whole = self.factory()  # which may train it first
        with refusing(f"{self.name}() does not build with its weights"), torch.no_grad():
            module = switched(unwrapped(self._whole), False)
            registered(module)
            if self._size and any(is_lazy(tensor) for tensor in module.parameters()):
                height, width, channels = self._size
                self._call(module, torch.zeros(1, channels, height, width))
            stored = [*module.named_parameters(), *module.named_buffers()]
            return Own({h: as_array(x) for h, x in stored if x.is_floating_point()})

    def plain(self, values: Mapping[str, np.ndarray], images: np.ndarray) -> list[np.ndarray]:
        """The outputs of the factory's own model on a batch, in its precision, unobserved."""
        with refusing(self.name):
            made, self._whole = self._whole, None
            module = unwrapped(self.factory() if made is None else made)
            registered(module)
            if any(is_lazy(tensor) for tensor in module.parameters()):
                self._call(switched(module, False), channels_first(images[:1]))
            output = plain(module, self._given or as_it_is, values, images)
            return [channels_behind(as_array(leaf)) for leaf in unpacked(output)]

    def _ready(self, image: Tensor) -> nn.Module:
        """The module, in inference mode; lazy parameters get their shapes from an image."""
        if self._module is None:
            made = self.built()
            with refusing(f"{self.name}() does not build", words=unbuilt):
                module = unwrapped(made)
                if lazy := any(is_lazy(tensor) for tensor in module.parameters()):
                    module = unwrapped(self.factory())  # its other layers may have numbers by then
                self._faults = registered(module)
                self._noted = untrainable(module)
                module.eval()
                if lazy:  # takes the type that it has by then
                    self._call(module.double(), torch.zeros(image.shape))
            self._module = module
        return self._module

    def _call(self, module: nn.Module, image: Tensor) -> Any:
        return module((self._given or as_it_is)(image))

    @calls_the_port
    def _forward(
        self, module: nn.Module, recorder: Recorder, state: dict[str, Tensor], image: Tensor
    ) -> list[Any]:
        """Call the module under a recorder, and note its outputs and what it replaces."""
        recorder.begin(image)
        stored = {handle: state[handle] for handle, _ in module.named_buffers() if handle in state}
        entered = register_module_forward_pre_hook(recorder.enter)
        left = register_module_forward_hook(recorder.leave, always_call=True)
        try:
            with installed(module, state), recorder.precisions.followed(), recorder:
                output = self._call(module, image)
            outputs = unpacked(output)
            if not outputs or not all(isinstance(leaf, Tensor) for leaf in outputs):
                raise TypeError(f"it returned {type(output).__name__}; return the logits")
        except UntraceableModel:
            raise
        except Exception as error:
            if error is recorder.interrupted:
                raise
            raise self._failed(error, recorder, image) from error
        finally:
            entered.remove()
            left.remove()
        recorder.tape.outputs = tuple(recorder.of(leaf) for leaf in outputs)
        if module.training:
            recorder.tape.updates = recorder.replaced(stored, state)
        return outputs

    def _failed(self, error: Exception, recorder: Recorder, image: Tensor) -> UntraceableModel:
        if ".item() cannot be called" in message(error):
            return UntraceableModel(
                f"{self.name}: what forward does depends on the values in the image"
                f" ({raised_at(error)}): it must do the same with every image"
            )
        size = "x".join(str(n) for n in (*image.shape[2:], image.shape[1]))
        inside = f" in {recorder.failed}" if recorder.failed else ""
        images, such = f"{len(image)} images", "several"
        if len(image) == 1:
            images, such = "an image", "such an image"
        return Failed(
            f"{self.name}: forward fails on {images} of {size}{inside}: {reason(error)}; it must"
            f" take {such}, and do the same with every one",
            f"{inside}: {reason(error)}",
        )

    def _runs(self, size: Size) -> bool:
        """Whether the factory's own model takes such an image, as its users call it; asked once."""
        if self._asked:
            return False
        self._asked = True
        height, width, channels = size
        with suppress(Exception), torch.no_grad():
            module = unwrapped(self.factory()).eval()
            outputs = unpacked(module(torch.rand(1, channels, height, width)))
            return bool(outputs) and all(
                isinstance(leaf, Tensor) and not leaf.is_meta for leaf in outputs
            )
        return False
