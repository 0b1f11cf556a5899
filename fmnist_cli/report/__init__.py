"""One page from measured JSON files; nothing is measured or computed for it."""
