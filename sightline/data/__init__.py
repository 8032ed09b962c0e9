"""The data side: sources, manifest, roles, validation, shards and versions."""
