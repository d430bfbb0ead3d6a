"""One person's daemon: store, outbox, links to peers and managers, local API."""
