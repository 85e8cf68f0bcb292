"""What there is to measure: probes that belong together, the figures to show, and our targets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import product

from conformance.ports import implementations as frameworks

#: A module of this room, a function in it, and its arguments.
Probe = tuple[str, ...]

#: What a port does by itself in a training step of two images.
STEP = "torch: a float64 step, forward and backward"

#: The probes of other tools beside a structural check: a function and what follows the network.
TOOLS = {
    "torch": (
        ("torchinfo", "meta"), ("torchinfo", "cpu"),
        ("flop_counter", "meta"), ("flop_counter", "cpu"),
    ),
    "keras": (("summary",),),
    "flax": (("tabulate",),),
}  # fmt: skip


#: The networks whose gate is timed.
NETWORKS = ("ResNet-18", "ResNet-50", "VGG-D", "Inception-v4")

#: How many times as long as other tools the gate of ResNet-50 may take.
GATED = {
    "gate_structure": {"torchinfo, cpu": 3.0, STEP: 1.0},
    "gate": {STEP: 6.0},
}


@dataclass(frozen=True, slots=True)
class Measurement:
    """One or more probes, the first of them ours; each runs in a process of its own.

    They take turns, as often as ``repeats`` says.  ``figures`` maps what is shown to the target
    for ours, or to None.  ``ratio`` is how many times their time ours may take, where that is
    required, and ``ratios`` how many times a certain tool's.
    """

    name: str
    what: str
    probes: tuple[Probe, ...]
    figures: dict[str, float | None]
    repeats: int
    ratio: float | None = None
    ratios: Mapping[str, float] = field(default_factory=dict)

    def limit(self, tool: str) -> float | None:
        """How many times a tool's time ours may take; None where nothing is required."""
        return self.ratios.get(tool, self.ratio)


def measurements() -> Iterator[Measurement]:
    """Everything, whatever is installed."""
    yield from map(_process, ("list", "--help"), (0.5, None))
    for framework in frameworks.frameworks():
        for network in ("ResNet-152", "VGG-D"):
            yield _structure(framework, network)
    for network in ("AlexNet", "VGG-D", "GoogLeNet", "Inception-v3", "ResNet-50"):
        yield Measurement(
            f"oracle-torch-{network}",
            f"oracle's forward of {network}",
            (("ours", "oracle", "torch", network),),
            {"seconds": None},
            repeats=5,
            ratio=3.0,
        )
    for network, (probe, repeats) in product(NETWORKS, (("gate_structure", 5), ("gate", 3))):
        tools = [("torch", tool, network, device) for tool, device in TOOLS["torch"]]
        yield Measurement(
            f"{probe}-torch-{network}",
            f"{probe.replace('_', ', ')} of {network} in torch",
            (("ours", probe, "torch", network), *tools),
            {"seconds": None, "peak": None},
            repeats=repeats,
            ratios=GATED[probe] if network == "ResNet-50" else {},
        )
    for framework in frameworks.frameworks():
        for network in ("ResNet-50", "VGG-D"):
            yield Measurement(
                f"check-{framework}-{network}",
                f"check of {network} in {framework}",
                (("ours", "check", framework, network),),
                {"seconds": 60.0, "peak": 6e9},
                repeats=3,
            )
            yield Measurement(
                f"parity-{framework}-{network}",
                f"float64 parity of {network} in {framework}",
                (("ours", "parity", framework, network),),
                {"seconds": None, "peak": None},
                repeats=3,
                ratio=3.0,
            )
    for probe in ("gradients", "training"):
        yield Measurement(
            f"{probe}-torch-ResNet-50",
            f"float64 {probe} of ResNet-50 in torch",
            (("ours", probe, "torch", "ResNet-50"),),
            {"seconds": None, "peak": None},
            repeats=3,
        )


def _process(argument: str, target: float | None) -> Measurement:
    return Measurement(
        f"command-{argument.strip('-')}",
        f"conformance {argument}",
        (("ours", "process", argument),),
        {"seconds": target},
        repeats=9,
    )


def _structure(framework: str, network: str) -> Measurement:
    tools = [(framework, tool, network, *rest) for tool, *rest in TOOLS.get(framework, ())]
    # Elsewhere the time is the framework's: it is told, without a target.
    seconds, memory = (1.0, 50e6) if framework == "torch" else (None, None)
    return Measurement(
        f"structure-{framework}-{network}",
        f"structure of {network} in {framework}",
        (("ours", "structure", framework, network), *tools),
        {"seconds": seconds, "memory": memory, "multiply-adds": None, "parameters": None},
        repeats=5,
    )


def missing(probe: Probe) -> str:
    """The sentence that says why a probe cannot run here; empty if it can."""
    framework = next((word for word in probe if word in frameworks.frameworks()), "")
    if framework and (reason := frameworks.missing(framework)):
        return reason
    if "torchinfo" in probe and find_spec("torchinfo") is None:
        return "torchinfo is not installed: pip install '.[bench]'"
    return ""
