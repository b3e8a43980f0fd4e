"""Ingestion: a CSV or TFRecord source becomes tf.Examples in the splits `train` and `eval`."""
