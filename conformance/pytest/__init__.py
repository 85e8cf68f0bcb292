"""The suite and the decorator as pytest sees them."""
