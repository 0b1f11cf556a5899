"""What `classify` is measured against; each module is a process of its own."""
