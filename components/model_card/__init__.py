"""The model card: what a model is for, what it was made of, and how well it does."""
