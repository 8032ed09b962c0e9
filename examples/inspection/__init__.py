"""Defects with their sizes, and which parts pass, from photographs of parts."""
