"""The test release, its figures, and the gate."""
