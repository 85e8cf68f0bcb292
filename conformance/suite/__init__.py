"""The suite itself, parametrized over frameworks and networks."""
