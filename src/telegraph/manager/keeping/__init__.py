"""A copy of the directory to keep elsewhere, encrypted, and bringing it back as a single manager."""
