"""Near duplicates: which images are copies of one another."""
