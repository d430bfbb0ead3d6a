"""The command line, on the node's local API."""
