"""Reading many files: worker processes, facts of each file, and what is remembered of them."""
