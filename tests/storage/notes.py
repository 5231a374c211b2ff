"""A table of the tests' own, and what is written into it."""

from sqlalchemy import Connection, text

NOTES = text("CREATE TABLE note (word TEXT UNIQUE)")


def add(connection: Connection, word: str) -> str:
    """Write a word, then fail for some."""
    connection.execute(text("INSERT INTO note VALUES (:word)"), {"word": word})
    if word.startswith("bad"):
        raise ValueError(word)
    return word


def words(connection: Connection) -> set[str]:
    """What is there."""
    return set(connection.execute(text("SELECT word FROM note")).scalars())
