"""Folders of labelled pictures: read and prepared once, for evaluation and for training."""
