"""The command line: `sightline`."""
