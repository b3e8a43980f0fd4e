"""Measurements side by side with the stock TFX taxi template, and how a run grows with its data.

python -m benchmarks --help
"""
