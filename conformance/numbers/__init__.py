"""Values: the oracle, its rounding, and what is held against them."""
