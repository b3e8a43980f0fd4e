"""Publishing and serving of models: no tfx, and TensorFlow only as its C library."""
