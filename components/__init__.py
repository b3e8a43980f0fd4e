"""The stages of the pipeline, one folder each, and the few things all of them share."""
