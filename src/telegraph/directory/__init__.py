"""Where accounts live: one port, several stores behind it."""
