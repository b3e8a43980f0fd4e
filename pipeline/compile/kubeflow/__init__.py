"""The compiled pipeline on Kubeflow."""
