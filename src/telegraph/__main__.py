"""``python -m telegraph`` is the command line."""

from telegraph.cli.main import main

main()
