"""Labels that people give, and labels that other images contradict."""
