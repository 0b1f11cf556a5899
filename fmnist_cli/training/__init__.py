"""Fitting the registry's models; writes run folders, the only thing `export` reads."""
