"""Where workers run: processes or threads."""
