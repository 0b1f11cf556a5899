"""Class activation maps: where a network looked, and how far that can be trusted."""
