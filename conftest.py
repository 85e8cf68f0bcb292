"""The suite's options and fixtures, and the plugin, whether or not the package is installed."""

pytest_plugins = ["convnet_conformance_pytest", "conformance.pytest.suite"]
