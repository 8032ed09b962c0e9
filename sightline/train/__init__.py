"""Training: recipes, the loop, features of frozen backbones, checkpoints."""
