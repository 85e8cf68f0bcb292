"""Write the published graphs anew: ``python -m conformance.suite.published FRAMEWORK [ARCH…]``."""

from __future__ import annotations

import sys

from conformance import reference
from conformance.judge import published
from conformance.judge.record.examine import examine
from conformance.ports import implementations


def main(framework: str, *names: str) -> None:
    """Trace networks, all of them where none is named, and keep their graphs."""
    models = reference.models()
    for model in map(reference.find, names) if names else models.values():
        if model.name in implementations.named(framework).get(model.family, ()):
            record = examine(framework, model, numbers=False)
            assert record.training is not None
            published.write(model, record.graph, record.training)


if __name__ == "__main__":
    main(*sys.argv[1:])
