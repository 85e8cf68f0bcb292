"""A port beside the network that it is judged as: its structure, its training, its numbers."""
