"""Several sites of one organisation: each a group of its own, and each pulls what the others know."""
