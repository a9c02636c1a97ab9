"""Alembic's entry point. The connection comes from the caller; there is no offline mode and no ini file."""

from alembic import context

from kizuna.control.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
