"""Networks, the predictor and its packaging."""
