"""The story: which steps, in which order; the command line on top."""
