"""Watching the champion: whether what it sees has shifted, in what, and whether it errs more often."""
