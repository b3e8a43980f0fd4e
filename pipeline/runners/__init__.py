"""Runners: each only schedules "run this node of the compiled pipeline"."""
