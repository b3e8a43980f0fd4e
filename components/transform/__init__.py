"""Transform: raw columns become the tensors that every model reads."""
