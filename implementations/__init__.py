"""The networks as an engineer would write them, once in each framework and from the papers."""
