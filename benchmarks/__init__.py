"""Time, memory and counts of the suite beside other tools: ``python -m benchmarks``."""
