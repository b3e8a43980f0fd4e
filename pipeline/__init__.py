"""The pipeline: configuration, graph, runners, lineage and the commands."""
