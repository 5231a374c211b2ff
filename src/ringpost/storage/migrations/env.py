"""Alembic's way in: migrations run on the connection that the caller holds, inside its transaction."""

from alembic import context

from ringpost.storage.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transactional_ddl=False)
context.run_migrations()
