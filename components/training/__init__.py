"""Training: transformed examples become a SavedModel, by a loop that survives being killed."""
