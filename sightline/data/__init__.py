"""The data side: sources, reading, roles, validation, shards and versions."""
