"""A folder of pictures and a page that shows them all: what `explain` and `prepare` write."""
