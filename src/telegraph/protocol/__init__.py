"""Wire truth: every name, shape and number that two processes must agree on. Pure: no sockets, no clock."""
