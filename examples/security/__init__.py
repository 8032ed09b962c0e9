"""Alarms from frames: chosen classes, and things that the model never saw."""
