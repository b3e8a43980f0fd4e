"""The data contract's own commands: infer, check, diff, update."""
