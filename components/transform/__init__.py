"""Transform: raw columns become the three tensors that every model reads."""
