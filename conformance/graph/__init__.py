"""What a network is, in words that no framework owns: nodes, rows, names, alignment."""
