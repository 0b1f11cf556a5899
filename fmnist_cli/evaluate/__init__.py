"""Measuring classifiers: pure functions over labels and probabilities."""
