"""The machinery of the measurements against peers."""
