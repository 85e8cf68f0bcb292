"""What a factory returns, as an ``nn.Module`` that can be read: unwrapped, nothing hidden."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from conformance.graph.model import Where
from conformance.trace.places import reason
from conformance.trace.port import UntraceableModel
from conformance.trace.tape import Fault

#: Layers or parameters.
Kept = TypeVar("Kept", nn.Module, nn.Parameter)

#: Wrappers that compute what they wrap, and where they keep it.
WRAPPERS = {
    "DataParallel": "module",
    "DistributedDataParallel": "module",
    "OptimizedModule": "_orig_mod",
}


def whole(module: Any) -> bool:
    """Whether a module has all of its numbers."""
    return isinstance(module, nn.Module) and not any(
        tensor.is_meta for _, tensor in _stored(module)
    )


def unwrapped(model: Any) -> nn.Module:
    """The module itself.  Raises :class:`UntraceableModel` where there is none to read."""
    while (inside := WRAPPERS.get(type(model).__name__)) and hasattr(model, inside):
        model = getattr(model, inside)
    if isinstance(model, torch.jit.ScriptModule):
        raise UntraceableModel(
            "the factory returns TorchScript, which has no Python code left to follow: return the"
            " nn.Module that it was made from"
        )
    if isinstance(model, torch.fx.GraphModule) and "train" in vars(model):
        raise UntraceableModel(
            "the factory returns a program of torch.export, which has one mode only: return the"
            " nn.Module that it was made from"
        )
    if not isinstance(model, nn.Module):
        raise TypeError(f"it returned {type(model).__name__}, not torch.nn.Module")
    return model


def switched(module: nn.Module, training: bool) -> nn.Module:
    """The module in a mode; a ``train`` or ``eval`` of its own need not return it."""
    if training:
        module.train()
    else:
        module.eval()
    return module


def registered(module: nn.Module) -> list[Fault]:
    """Give what a module keeps in plain lists and dictionaries a name of its own.

    PyTorch sees none of them: their parameters are not trained, saved or moved, and ``eval()``
    does not reach them.  They are followed like the others, and each place is a fault.
    """
    found = []
    for path, parent in list(module.named_modules()):
        for name, value in list(vars(parent).items()):
            if name.startswith("_") or name in parent._modules:
                continue
            own = f"{name}[]"  # the attribute stays the list that the forward reads
            loose = list(_inside(value, nn.Parameter))
            if loose:  # a deep network has thousands of attributes: look only where one has some
                known = {id(parameter) for parameter in module.parameters()}
                loose = [x for x in loose if id(x) not in known]
            if loose:
                parent._modules[own] = nn.ParameterList(loose)
                found.append(
                    Fault(
                        "registration", "registered parameters",
                        f"{len(loose)} parameters in a plain {type(value).__name__}",
                        "use nn.ParameterList or nn.ParameterDict: PyTorch trains and saves none"
                        " that a plain one holds",
                        Where(path or name),
                    )
                )  # fmt: skip
            elif layers := _unregistered(module, value):
                parent._modules[own] = nn.ModuleList(layers)
                place = f"{path}.{name}" if path else name
                found.append(
                    Fault(
                        "registration", "registered layers",
                        f"{len(layers)} layers in a plain {type(value).__name__}",
                        "use nn.ModuleList, nn.ModuleDict or nn.Sequential: PyTorch registers no"
                        " parameter in a plain one, so none is trained or saved",
                        Where(place),
                    )
                )  # fmt: skip
                found += registered(parent._modules[own])
    return found


def _unregistered(module: nn.Module, value: Any) -> list[nn.Module]:
    """The layers in a list, a tuple or a dictionary that the module does not have already."""
    if not (layers := list(_inside(value, nn.Module))):
        return []
    known = {id(each) for each in module.modules()}
    return [each for each in layers if id(each) not in known]


def untrainable(module: nn.Module) -> list[Fault]:
    """What was made in inference mode, which can be used and not trained: a remark.

    Its buffers become ordinary ones, for a step of training to get through.
    """
    stored = ((handle, tensor) for handle, tensor in _stored(module) if not is_lazy(tensor))
    made = [handle for handle, tensor in stored if tensor.is_inference()]
    for each in module.modules() if made else ():
        for name, buffer in each._buffers.items():
            each._buffers[name] = None if buffer is None else buffer.clone()
    return [
        Fault(
            "trained", True, False,
            f"{len(made)} stored tensors were made in torch.inference_mode() and record no"
            " gradient: build the model outside of it to train it",
            Where(made[0].rpartition(".")[0]),
        )
    ] if made else []  # fmt: skip


def _inside(value: Any, kind: type[Kept]) -> Iterator[Kept]:
    """The layers, or parameters, in a list, a tuple or a dictionary, and in what that holds."""
    if isinstance(value, kind):
        yield value
    for held in _containers(value):
        yield from (each for each in _values(held) if isinstance(each, kind))


def _containers(value: Any) -> Iterator[Any]:
    """A list, a tuple or a dictionary and those inside of it, each once: one may hold itself."""
    seen: set[int] = set()
    stack = [value]
    while stack:
        held = stack.pop()
        if isinstance(held, list | tuple | dict) and id(held) not in seen:
            seen.add(id(held))
            yield held
            stack.extend(reversed([x for x in _values(held) if isinstance(x, list | tuple | dict)]))


def _values(held: Any) -> Any:
    return held.values() if isinstance(held, dict) else held


@contextmanager
def installed(module: nn.Module, state: dict[str, Tensor]) -> Iterator[None]:
    """Let other tensors stand in for a module's own, in all places that hold the same one.

    Buffers that the module replaces are in ``state`` afterwards, and its own are back.
    """
    own = {id(tensor): handle for handle, tensor in _stored(module)}
    places: list[tuple[Any, Any, Tensor]] = []
    for each in module.modules():
        for table in (each._parameters, each._buffers):
            places += [(table, name, x) for name, x in table.items() if x is not None]
    places += [place for place in _loose(module) if id(place[2]) in own]
    for table, name, tensor in places:
        table[name] = state.get(own[id(tensor)], tensor)
    try:
        yield
    finally:
        for table, name, tensor in places:
            if (handle := own[id(tensor)]) in state and table[name] is not tensor:
                state[handle] = table[name]
            table[name] = tensor


def _loose(module: nn.Module) -> Iterator[tuple[Any, Any, Tensor]]:
    """Where the plain lists and dictionaries of a module's author hold a parameter."""
    for part in module.modules():
        public = [value for name, value in vars(part).items() if name[:1] != "_"]
        for held in (each for value in public for each in _containers(value)):
            if not isinstance(held, tuple):
                entries = held.items() if isinstance(held, dict) else enumerate(held)
                yield from ((held, key, x) for key, x in entries if isinstance(x, nn.Parameter))


def _stored(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from module.named_parameters()
    yield from module.named_buffers()


def frozen(module: nn.Module) -> frozenset[str]:
    """What is stored and not trained: parameters without a gradient, and buffers."""
    return frozenset(h for h, x in _stored(module) if not x.requires_grad)


def hooked(module: nn.Module, state: dict[str, Tensor]) -> None:
    """Hang the hooks of a module's own parameters on the tensors that stand in for them."""
    for handle, parameter in module.named_parameters():
        leaf = state[handle]
        if not leaf.requires_grad:
            continue
        for hook in (parameter._backward_hooks or {}).values():
            leaf.register_hook(hook)
        for hook in (getattr(parameter, "_post_accumulate_grad_hooks", None) or {}).values():
            leaf.register_post_accumulate_grad_hook(hook)


def unbuilt(error: BaseException) -> str:
    """Why a factory does not build, and what it has to do."""
    return f"{reason(error)}; it must return a torch.nn.Module when called without arguments"
