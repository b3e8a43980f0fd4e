"""A pipeline compiled once, to be run node by node by any orchestrator."""
