"""A client of TF Serving's API, for the embedded server and for TensorFlow Serving alike."""
