"""Options that several commands take, and how their values are read."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any


class Schema(argparse.Action):
    """Print a JSON Schema and leave; ``const`` is its name."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        sys.stdout.write(json.dumps(_schema(self.const), indent=1) + "\n")
        parser.exit()


def _schema(name: str) -> dict[str, Any]:
    from conformance import data
    from conformance.judge import results
    from conformance.reports.rows import Results

    return data.schema(Results if name == "results" else results.OF[name])


def schema(command: argparse.ArgumentParser, name: str) -> None:
    """``--schema``."""
    command.add_argument(
        "--schema", nargs=0, action=Schema, const=name,
        help="print the JSON Schema of the result and exit",
    )  # fmt: skip


def form(command: argparse.ArgumentParser) -> None:
    """``--format``."""
    command.add_argument(
        "--format", choices=("text", "markdown"), default="text",
        help="markdown is made for a job summary",
    )  # fmt: skip


def baseline(command: argparse.ArgumentParser) -> None:
    """``--baseline``."""
    command.add_argument(
        "--baseline", metavar="RESULT", help="an earlier --json FILE: fail only on what is new"
    )


def seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 up")
    return int(text)


def times(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 up")
    return int(text)


def size(text: str) -> list[int]:
    sides = text.lower().split("x")
    if len(sides) != 3 or not all(side.isdecimal() and int(side) for side in sides):
        raise argparse.ArgumentTypeError(f"{text!r} is not height x width x channels: 224x224x3")
    return [int(side) for side in sides]


def seconds(text: str) -> float:
    if not text.replace(".", "", 1).isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds, such as 600")
    return float(text)


def memory(text: str) -> int:
    number, unit = text[:-1], text[-1:].upper()
    powers = {"M": 20, "G": 30}
    if unit not in powers or not number.replace(".", "", 1).isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 800M or 16G")
    if (size := float(number) * 2 ** powers[unit]) == float("inf"):
        raise argparse.ArgumentTypeError("there is no such size")
    return int(size)


def port(command: argparse.ArgumentParser) -> None:
    """What every command about one port takes."""
    command.add_argument("port", metavar="PORT", help="package.module:factory or file.py:factory")
    command.add_argument(
        "--framework", metavar="F", help="whose model it is (default: worked out from the port)"
    )
    command.add_argument(
        "--input", metavar="HxWxC", type=size, help="size of the image (default: the paper's)"
    )
    command.add_argument(
        "--seed", metavar="N", type=seed, default=0, help="of the weights (default: 0)"
    )
    limits(command, "the port")


def limits(command: argparse.ArgumentParser, who: str) -> None:
    """``--timeout`` and ``--memory``."""
    command.add_argument(
        "--timeout", metavar="SECONDS", type=seconds, default=600.0,
        help=f"how long {who} may take; 0 for no limit (default: 600)",
    )  # fmt: skip
    command.add_argument(
        "--memory", metavar="SIZE", type=memory,
        help=f"how much memory {who} may take, such as 16G",
    )  # fmt: skip


def ports(command: argparse.ArgumentParser) -> None:
    """What every command about two ports takes."""
    command.add_argument("a", metavar="A", help="a port")
    command.add_argument("b", metavar="B", help="the other port")
    sizes = command.add_mutually_exclusive_group()
    sizes.add_argument(
        "--input", metavar="HxWxC", type=size, help="the image's size, such as 224x224x3"
    )
    sizes.add_argument("--arch", metavar="ARCH", help="take the size from this architecture")
    limits(command, "the two")
