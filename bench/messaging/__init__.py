"""Parts of bench/messages.py: the baselines, the nodes, the processes that run them, and what is printed."""
