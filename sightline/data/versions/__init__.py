"""Versions of the data: DVC, its archive, the history and what differs."""
