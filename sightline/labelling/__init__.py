"""Captured answers on their way to a person who labels their images, and back into the data set and the verdict."""
