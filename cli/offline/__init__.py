"""Commands that train and measure: train, distill, tune, compare, evaluate, score; here, or as jobs of a cluster."""
