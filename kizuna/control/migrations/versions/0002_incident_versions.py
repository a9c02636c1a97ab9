"""incidents as they stood after each version"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:

    op.create_table(
        "incident_versions",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("states", sa.JSON(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_incident_versions")),
    )


def downgrade() -> None:

    op.drop_table("incident_versions")
