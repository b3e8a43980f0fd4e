"""Pushing: publishes a model that both the Evaluator and the ServingCheck blessed."""
