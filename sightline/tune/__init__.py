"""The search for better values of the recipe, by what they bring on the validation images; on Optuna."""
