"""The pages of a run's report: HTML files that load nothing else."""
