"""The command that shows published versions and moves their labels: `python -m serving.models`."""
