"""``conformance`` and ``python -m conformance`` begin here."""

import sys

from conformance import early


def main() -> int:
    """Run one command and return its exit code; Ctrl-C is one line from here on."""
    early.quiet()
    from conformance.cli import main

    return main()


if __name__ == "__main__":
    # The folder in which the user works may hold a file that is called like a module of Python's.
    if not sys.flags.safe_path:
        del sys.path[0]
    sys.exit(main())
