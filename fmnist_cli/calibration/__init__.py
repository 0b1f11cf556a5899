"""Calibrated confidence: a curve over margins, its fit, and its nodes in a graph."""
