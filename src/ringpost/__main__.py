"""The command `ringpost`, also as `python -m ringpost`.

What a program imports is there until it ends. The garbage collector looks it through again and again while it is made,
and once more at the end: half of the time of a command that only answers a question.
"""

import gc


def main() -> None:
    """Import the command line, have the garbage collector leave it in peace, and run it."""
    gc.disable()
    from ringpost import cli  # noqa: PLC0415  what it imports must not be looked through meanwhile

    gc.freeze()
    gc.enable()
    cli.main()


if __name__ == "__main__":
    main()
