"""Evaluation: how good the candidate is, by slice, beside the model it would replace."""
