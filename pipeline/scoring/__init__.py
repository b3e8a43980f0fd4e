"""Predictions for large files: read in sections, asked in blocks of rows, written in shards."""
