"""Bytes to pixels: one way, for training and for serving alike."""
