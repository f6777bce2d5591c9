"""Inputs of each family: what a client could send, made of what is valid, and then changed."""
