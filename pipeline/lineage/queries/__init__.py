"""Questions to a store: each takes a `Reader` and returns frozen values, and prints nothing."""
