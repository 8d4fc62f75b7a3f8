"""What Alembic runs for every upgrade: on the connection, and in the transaction, that it was handed."""

from alembic import context

from otd.store.tables import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
