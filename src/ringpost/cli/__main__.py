"""`python -m ringpost.cli`: the command `ringpost`, for where it is not on the path."""

from ringpost.cli import main

main()
