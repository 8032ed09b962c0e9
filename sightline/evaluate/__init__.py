"""The test release and its figures."""
