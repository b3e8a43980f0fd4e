"""Writes a graph in the forms that other tools read: OpenLineage, PROV-JSON, and our own JSON."""
