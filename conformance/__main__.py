"""``conformance`` and ``python -m conformance`` begin here."""

import sys

from conformance import early


def main() -> int:
    """Run one command and return its exit code; Ctrl-C is one line from here on."""
    early.quiet()
    from conformance.cli import main

    return main()


if __name__ == "__main__":
    sys.exit(main())
