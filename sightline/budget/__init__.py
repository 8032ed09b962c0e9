"""From a time budget to a plan."""
