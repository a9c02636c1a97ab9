"""contents are known by hashes that name their algorithm"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

#: (table, name until now, name from now on)
_COLUMNS = (
    ("files", "sha256", "content_hash"),
    ("batches", "sha256", "content_hash"),
    ("batches", "parquet_sha256", "parquet_hash"),
)


def upgrade() -> None:
    op.drop_index("ix_files_sha256", "files")
    for table, old, new in _COLUMNS:
        _rename(table, old, new, length=80)
        # A file that could not be read, or that is a link, has no hash.
        op.execute(f"UPDATE {table} SET {new} = 'sha256:' || {new} WHERE {new} <> ''")
    op.create_index("ix_files_content_hash", "files", ["content_hash"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_files_content_hash", "files")
    for table, old, new in _COLUMNS:
        op.execute(f"UPDATE {table} SET {new} = substr({new}, 8) WHERE {new} <> ''")
        _rename(table, new, old, length=64)
    op.create_index("ix_files_sha256", "files", ["sha256"], unique=False)


def _rename(table: str, old: str, new: str, *, length: int) -> None:
    op.execute(f"ALTER TABLE {table} RENAME COLUMN {old} TO {new}")
    # SQLite heeds no length of texts, and would have to copy the table, which others refer to.
    if op.get_bind().dialect.name != "sqlite":
        op.alter_column(table, new, type_=sa.String(length=length))
