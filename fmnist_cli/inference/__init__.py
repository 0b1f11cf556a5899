"""Model files, and running them."""
