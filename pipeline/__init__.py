"""The pipeline: configuration, graph, runners, lineage and the commands."""

# The one in pyproject.toml; written here as well, since the code also runs without being installed.
__version__ = "0.1.0"
