"""What alembic runs: the migrations, on the connection and in the transaction that the store gives it."""

from __future__ import annotations

from alembic import context

from cellos_nb.store.message_table import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
