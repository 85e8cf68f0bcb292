"""What each command does; :mod:`conformance.cli` reads the command line and imports one of them."""
