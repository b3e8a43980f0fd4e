"""What happened, read back from ML Metadata: the store, frozen models, queries."""
