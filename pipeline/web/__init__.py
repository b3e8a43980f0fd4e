"""Lineage in a browser: the same queries as the command's, with links between the answers."""
