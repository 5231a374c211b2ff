"""Types of columns that mean the same on both databases."""

import sqlalchemy as sa

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""For every text column: compared byte by byte, as SQLite does by itself."""
