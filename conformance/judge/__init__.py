"""Findings and verdicts: what a network is held to be, and why."""
