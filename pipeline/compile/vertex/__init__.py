"""The compiled pipeline on Vertex AI Pipelines."""
