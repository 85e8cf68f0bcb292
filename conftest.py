"""The suite's options and fixtures, and the plugin, whether or not the package is installed."""

pytest_plugins = ["conformance.plugin", "conformance.suite"]
