"""Fakes and fixtures that ship with Telegraph, for its own tests and for those of bots."""
