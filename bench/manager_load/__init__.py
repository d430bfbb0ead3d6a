"""What bench/managers.py drives managers with."""
