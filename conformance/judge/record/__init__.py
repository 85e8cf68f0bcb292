"""Our networks examined: what a run leaves as evidence, and what that says of each of them."""
