"""The framework-neutral graph of a network: nodes, rows, names, alignment."""
