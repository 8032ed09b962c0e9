"""Where a version came from, what an image touched, and whether it can be made again."""
