"""Ports loaded, and run in processes of their own."""
