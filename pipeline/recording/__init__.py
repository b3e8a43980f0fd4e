"""Writes into ML Metadata what TFX does not: what a run was asked, used, made, and came to."""
