"""`python -m ringpost` is the command `ringpost`."""

from ringpost.cli import main

main()
