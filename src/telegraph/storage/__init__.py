"""Durable files: one writer thread per SQLite database with group commit, and versioned schema files."""
