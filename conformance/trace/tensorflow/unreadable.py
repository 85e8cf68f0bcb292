"""The sign that the tape has no words for an operation in the mode that it is in."""


class Unreadable(Exception):
    """An operation in a mode that the tape has no word for."""
