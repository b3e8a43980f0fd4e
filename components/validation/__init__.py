"""Validation: statistics, the schema, anomalies, and the gate that stops bad data."""
