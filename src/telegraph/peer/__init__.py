"""The link between two nodes: bytes, keys and addresses."""
