"""The pytest plugin of Telegraph: it comes with the package, as an entry point."""
