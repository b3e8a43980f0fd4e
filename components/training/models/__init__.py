"""The networks that training can use."""
