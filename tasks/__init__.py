"""One versioned step each: thin wrappers around the library."""
