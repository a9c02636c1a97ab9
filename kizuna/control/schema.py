"""Tables of the control store, one schema for SQLite and PostgreSQL. Changed only together with a migration.

Instants are naive UTC. `files` and `batches` are ingestion's ledger, `builds` to `publications` the life of a build,
`incidents` and `outbox` what people are told.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: SQLite numbers rows by itself only for INTEGER keys.
_Serial = BigInteger().with_variant(Integer, "sqlite")

#: What a content is known by (`kizuna.files.hash_of`). SQLite heeds no length, and the first release said 64.
_Hash = String(80).with_variant(String(64), "sqlite")

files = Table(
    "files",
    metadata,
    Column("file_id", String(32), primary_key=True),
    Column("source", String(64), nullable=False),
    Column("entity", String(64)),
    Column("path", Text, nullable=False),  # relative to landing
    Column("content_hash", _Hash, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("contract", String(128)),
    Column("contract_version", String(16)),
    Column("status", String(16), nullable=False),  # accepted | held | refused | duplicate | unmatched | discarded
    Column("rows_in", BigInteger, nullable=False, default=0),
    Column("accepted", BigInteger, nullable=False, default=0),
    Column("quarantined", BigInteger, nullable=False, default=0),
    Column("duplicates", BigInteger, nullable=False, default=0),
    Column("code", String(64)),
    Column("reason", Text),
    Column("duplicate_of", String(32)),
    Column("batch_id", String(32)),
    Column("quarantine_path", Text),
    Column("first_seen_at", DateTime, nullable=False),
    Column("loaded_at", DateTime),
    Column("detail", JSON),
    Index(None, "content_hash"),
    Index(None, "status"),
)

batches = Table(
    "batches",
    metadata,
    Column("batch_id", String(32), primary_key=True),
    Column("file_id", String(32), ForeignKey("files.file_id"), nullable=False),
    Column("source", String(64), nullable=False),
    Column("entity", String(64), nullable=False),
    Column("relation", String(128), nullable=False),  # raw.<vendor>__<entity> or raw.mapped__<entity>
    Column("namespace", String(64)),
    Column("path", Text, nullable=False),  # Parquet file, relative to home
    Column("content_hash", _Hash, nullable=False),  # of the landing file
    Column("parquet_hash", _Hash, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("rows_in", BigInteger, nullable=False),
    Column("accepted", BigInteger, nullable=False),
    Column("quarantined", BigInteger, nullable=False),
    Column("duplicates", BigInteger, nullable=False),
    Column("first_event_at", DateTime),
    Column("last_event_at", DateTime),
    Column("known_at", DateTime, nullable=False),
    Column("active", Boolean, nullable=False, default=True),
    Index(None, "relation"),
)

builds = Table(
    "builds",
    metadata,
    Column("build_id", String(32), primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("as_of", Date, nullable=False),
    Column("known_as_of", DateTime),
    Column("config_hash", String(64), nullable=False),
    Column("code_version", String(64), nullable=False),
    Column("inputs", JSON, nullable=False),
    Column("base_version", Integer),  # what readers saw, and state was read from, when it began
    Column("fence", BigInteger, nullable=False),
    Column("run_id", String(64), nullable=False),
    Column("status", String(16), nullable=False),  # running | failed | published | superseded
    Column("error", Text),
    Column("started_at", DateTime, nullable=False),
    Column("ended_at", DateTime),
)

lease = Table(
    "lease",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("fence", BigInteger, nullable=False),
    Column("holder", String(128)),  # run id; NULL when free
    Column("host", String(255)),
    Column("pid", Integer),
    Column("process_started", Float),
    Column("heartbeat_at", DateTime),
)

build_events = Table(
    "build_events",
    metadata,
    Column("event_id", _Serial, primary_key=True, autoincrement=True),
    Column("build_id", String(32), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("kind", String(8), nullable=False),  # stage | gate
    Column("name", String(32), nullable=False),
    Column("outcome", String(16), nullable=False),  # started | done | passed | failed | could_not_run
    Column("detail", JSON),
    Column("at", DateTime, nullable=False),
    Index(None, "build_id", "attempt"),
)

gate_verdicts = Table(
    "gate_verdicts",
    metadata,
    Column("verdict_id", _Serial, primary_key=True, autoincrement=True),
    Column("build_id", String(32), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("gate", String(32), nullable=False),
    Column("relation", String(128), nullable=False),
    Column("suite", String(64), nullable=False),
    Column("outcome", String(16), nullable=False),  # passed | failed | could_not_run
    Column("evaluated", Integer, nullable=False),
    Column("failed", JSON, nullable=False),
    Column("warnings", JSON, nullable=False),
    Column("at", DateTime, nullable=False),
    Index(None, "build_id", "attempt", "gate"),
)

publications = Table(
    "publications",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("build_id", String(32), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("as_of", Date, nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),  # intended | published | abandoned | expired | lost
    Column("intended_at", DateTime, nullable=False),
    Column("published_at", DateTime),
    Column("manifest_sha256", String(64)),
)

link_moves = Table(
    "link_moves",
    metadata,
    Column("move_id", _Serial, primary_key=True, autoincrement=True),
    Column("from_version", Integer),
    Column("to_version", Integer, nullable=False),
    Column("cause", String(16), nullable=False),  # publish | rollback | reconcile
    Column("at", DateTime, nullable=False),
)

incidents = Table(
    "incidents",
    metadata,
    Column("incident_id", String(255), primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("segment_type", String(32), nullable=False),
    Column("segment", String(128), nullable=False),
    Column("state", String(16), nullable=False),  # open | resolved | withdrawn
    Column("opened_on", Date, nullable=False),
    Column("last_seen_on", Date, nullable=False),
    Column("resolved_on", Date),
    Column("opened_by_build", String(32), nullable=False),
    Column("detail", JSON),
)

#: Incidents as they stood after each version: the next one goes on from the version it was built on, so that a
#: rollback takes them back too. `incidents` is how they stand now, for people to look at.
incident_versions = Table(
    "incident_versions",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("states", JSON, nullable=False),
    Column("at", DateTime, nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    Column("message_id", _Serial, primary_key=True, autoincrement=True),
    Column("key", String(300), nullable=False),
    Column("channel_type", String(16), nullable=False, default="slack"),
    Column("channel", String(128), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("payload", JSON, nullable=False),
    Column("image_path", Text),
    Column("state", String(16), nullable=False, default="pending"),  # pending | sending | sent | preview | failed
    Column("attempts", Integer, nullable=False, default=0),
    Column("next_attempt_at", DateTime),
    Column("sent_at", DateTime),
    Column("external_ts", String(64)),
    Column("last_error", Text),
    Column("thread_key", String(300)),
    Column("created_at", DateTime, nullable=False),
    UniqueConstraint("key"),
    UniqueConstraint("channel_type", "channel", "seq"),
    Index(None, "state"),
)
