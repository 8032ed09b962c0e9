"""Train, val, calib and test: by hash of the group, and kept for ever."""
