"""Finding managers: DNS alias first, then a UDP scan."""
