"""Runs a model version on lists of texts: tokenisation, batches cut by tokens, an inference engine, probabilities."""

from sentiment.predictor.predictor import Predictor

__all__ = ["Predictor"]
