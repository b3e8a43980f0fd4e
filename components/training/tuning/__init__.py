"""Searches for the settings of the training that give the best model."""
