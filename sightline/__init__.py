"""Sightline: from a folder of labelled images to a model in production. The library, without an orchestrator."""
