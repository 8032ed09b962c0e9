"""Answers of a registered version."""
