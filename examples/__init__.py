"""Applications on Sightline's public commands and its Python interface alone: python -m examples.field, and others."""
