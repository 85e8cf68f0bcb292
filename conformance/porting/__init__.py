"""A stranger's model: loaded, set beside the published network, and judged."""
