"""Training without the pipeline; `api` is for notebooks, the command is `components.training`."""
