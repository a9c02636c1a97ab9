-- The control store as the first release made it (schema 0001), with one row and more in each table. Kept as it was: never
-- generated from today's code. {serial} and {datetime} are what SQLite and PostgreSQL call them.
CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE build_events (
    event_id {serial}, build_id VARCHAR(32) NOT NULL, attempt INTEGER NOT NULL, kind VARCHAR(8) NOT NULL, name
    VARCHAR(32) NOT NULL, outcome VARCHAR(16) NOT NULL, detail JSON, at {datetime} NOT NULL, CONSTRAINT
    pk_build_events PRIMARY KEY (event_id)
);
CREATE INDEX ix_build_events_build_id_attempt ON build_events (build_id, attempt);
CREATE TABLE builds (
    build_id VARCHAR(32) NOT NULL, attempt INTEGER NOT NULL, as_of DATE NOT NULL, known_as_of {datetime},
    config_hash VARCHAR(64) NOT NULL, code_version VARCHAR(64) NOT NULL, inputs JSON NOT NULL, base_version INTEGER,
    fence BIGINT NOT NULL, run_id VARCHAR(64) NOT NULL, status VARCHAR(16) NOT NULL, error TEXT, started_at
    {datetime} NOT NULL, ended_at {datetime}, CONSTRAINT pk_builds PRIMARY KEY (build_id, attempt)
);
CREATE TABLE files (
    file_id VARCHAR(32) NOT NULL, source VARCHAR(64) NOT NULL, entity VARCHAR(64), path TEXT NOT NULL, sha256
    VARCHAR(64) NOT NULL, bytes BIGINT NOT NULL, contract VARCHAR(128), contract_version VARCHAR(16), status
    VARCHAR(16) NOT NULL, rows_in BIGINT NOT NULL, accepted BIGINT NOT NULL, quarantined BIGINT NOT NULL, duplicates
    BIGINT NOT NULL, code VARCHAR(64), reason TEXT, duplicate_of VARCHAR(32), batch_id VARCHAR(32), quarantine_path
    TEXT, first_seen_at {datetime} NOT NULL, loaded_at {datetime}, detail JSON, CONSTRAINT pk_files PRIMARY KEY
    (file_id)
);
CREATE INDEX ix_files_sha256 ON files (sha256);
CREATE INDEX ix_files_status ON files (status);
CREATE TABLE gate_verdicts (
    verdict_id {serial}, build_id VARCHAR(32) NOT NULL, attempt INTEGER NOT NULL, gate VARCHAR(32) NOT NULL,
    relation VARCHAR(128) NOT NULL, suite VARCHAR(64) NOT NULL, outcome VARCHAR(16) NOT NULL, evaluated INTEGER NOT
    NULL, failed JSON NOT NULL, warnings JSON NOT NULL, at {datetime} NOT NULL, CONSTRAINT pk_gate_verdicts PRIMARY
    KEY (verdict_id)
);
CREATE INDEX ix_gate_verdicts_build_id_attempt_gate ON gate_verdicts (build_id, attempt, gate);
CREATE TABLE incidents (
    incident_id VARCHAR(255) NOT NULL, kind VARCHAR(32) NOT NULL, segment_type VARCHAR(32) NOT NULL, segment
    VARCHAR(128) NOT NULL, state VARCHAR(16) NOT NULL, opened_on DATE NOT NULL, last_seen_on DATE NOT NULL,
    resolved_on DATE, opened_by_build VARCHAR(32) NOT NULL, detail JSON, CONSTRAINT pk_incidents PRIMARY KEY
    (incident_id)
);
CREATE TABLE lease (
    name VARCHAR(32) NOT NULL, fence BIGINT NOT NULL, holder VARCHAR(128), host VARCHAR(255), pid INTEGER,
    process_started FLOAT, heartbeat_at {datetime}, CONSTRAINT pk_lease PRIMARY KEY (name)
);
CREATE TABLE link_moves (
    move_id {serial}, from_version INTEGER, to_version INTEGER NOT NULL, cause VARCHAR(16) NOT NULL, at {datetime}
    NOT NULL, CONSTRAINT pk_link_moves PRIMARY KEY (move_id)
);
CREATE TABLE outbox (
    message_id {serial}, "key" VARCHAR(300) NOT NULL, channel_type VARCHAR(16) NOT NULL, channel VARCHAR(128) NOT
    NULL, seq BIGINT NOT NULL, payload JSON NOT NULL, image_path TEXT, state VARCHAR(16) NOT NULL, attempts INTEGER
    NOT NULL, next_attempt_at {datetime}, sent_at {datetime}, external_ts VARCHAR(64), last_error TEXT, thread_key
    VARCHAR(300), created_at {datetime} NOT NULL, CONSTRAINT pk_outbox PRIMARY KEY (message_id), CONSTRAINT
    uq_outbox_channel_type_channel_seq UNIQUE (channel_type, channel, seq), CONSTRAINT uq_outbox_key UNIQUE ("key")
);
CREATE INDEX ix_outbox_state ON outbox (state);
CREATE TABLE publications (
    version INTEGER NOT NULL, build_id VARCHAR(32) NOT NULL, attempt INTEGER NOT NULL, as_of DATE NOT NULL, fence
    BIGINT NOT NULL, state VARCHAR(16) NOT NULL, intended_at {datetime} NOT NULL, published_at {datetime},
    manifest_sha256 VARCHAR(64), CONSTRAINT pk_publications PRIMARY KEY (version)
);
CREATE TABLE batches (
    batch_id VARCHAR(32) NOT NULL, file_id VARCHAR(32) NOT NULL, source VARCHAR(64) NOT NULL, entity VARCHAR(64) NOT
    NULL, relation VARCHAR(128) NOT NULL, namespace VARCHAR(64), path TEXT NOT NULL, sha256 VARCHAR(64) NOT NULL,
    parquet_sha256 VARCHAR(64) NOT NULL, bytes BIGINT NOT NULL, rows_in BIGINT NOT NULL, accepted BIGINT NOT NULL,
    quarantined BIGINT NOT NULL, duplicates BIGINT NOT NULL, first_event_at {datetime}, last_event_at {datetime},
    known_at {datetime} NOT NULL, active BOOLEAN NOT NULL, CONSTRAINT pk_batches PRIMARY KEY (batch_id), CONSTRAINT
    fk_batches_file_id_files FOREIGN KEY(file_id) REFERENCES files (file_id)
);
CREATE INDEX ix_batches_relation ON batches (relation);

INSERT INTO alembic_version VALUES ('0001');
INSERT INTO files VALUES ('f1', 'shopify', 'order', 'shopify/注文.csv', 'aa', 5000000000, 'shopify__orders', '1', 'accepted', 3, 2, 1,
    0, NULL, NULL, NULL, 'b1', 'quarantine/shopify/order/b1.parquet', '2026-06-01 03:00:00.000000', '2026-06-01 03:00:01.000000',
    '{"relation": "raw.shopify__orders"}');
INSERT INTO files VALUES ('f2', 'shopify', NULL, 'shopify/x.csv', 'bb', 1, NULL, NULL, 'refused', 0, 0, 0, 0, 'file.empty', 'empty',
    NULL, NULL, NULL, '2026-06-02 03:00:00.000000', NULL, '{}');
INSERT INTO batches VALUES ('b1', 'f1', 'shopify', 'order', 'raw.shopify__orders', NULL, 'raw/shopify/order/b1.parquet', 'aa', 'cc', 10,
    3, 2, 1, 0, '2026-05-31 01:02:03.000000', NULL, '2026-06-01 03:00:01.000000', TRUE);
INSERT INTO builds VALUES ('d1', 1, '2026-05-31', NULL, 'hash', 'code', '["b1"]', NULL, 1, 'run-1', 'published', NULL,
    '2026-06-01 03:00:00.000000', '2026-06-01 03:01:00.000000');
INSERT INTO builds VALUES ('d2', 1, '2026-06-01', NULL, 'hash', 'code', '["b1"]', 1, 2, 'run-2', 'published', NULL,
    '2026-06-02 03:00:00.000000', '2026-06-02 03:01:00.000000');
INSERT INTO build_events (build_id, attempt, kind, name, outcome, detail, at) VALUES
    ('d2', 1, 'stage', 'raw', 'done', '{"files": 1}', '2026-06-02 03:00:10.000000'),
    ('d2', 1, 'gate', 'raw', 'passed', NULL, '2026-06-02 03:00:12.000000');
INSERT INTO gate_verdicts (build_id, attempt, gate, relation, suite, outcome, evaluated, failed, warnings, at) VALUES
    ('d2', 1, 'raw', 'raw.shopify__orders', 'shopify__orders', 'passed', 4, '[]', '[]', '2026-06-02 03:00:12.000000');
INSERT INTO publications VALUES ('1', 'd1', 1, '2026-05-31', 1, 'published', '2026-06-01 03:00:50.000000', '2026-06-01 03:00:55.000000', 'm1');
INSERT INTO publications VALUES ('2', 'd2', 1, '2026-06-01', 2, 'published', '2026-06-02 03:00:50.000000', '2026-06-02 03:00:55.000000', 'm2');
INSERT INTO link_moves (from_version, to_version, cause, at) VALUES (NULL, 1, 'publish', '2026-06-01 03:00:55.000000'),
    (1, 2, 'publish', '2026-06-02 03:00:55.000000');
INSERT INTO incidents VALUES ('churn:region:関東:2026-06-01', 'churn', 'region', '関東', 'open', '2026-06-01', '2026-06-01', NULL, 'd2',
    '{"peak_at_risk": 90}');
INSERT INTO lease VALUES ('build', 2, NULL, NULL, NULL, NULL, NULL);
INSERT INTO outbox (key, channel_type, channel, seq, payload, image_path, state, attempts, next_attempt_at, sent_at, external_ts,
    last_error, thread_key, created_at) VALUES
    ('m1', 'slack', '#cx-alerts', 1, '{"text": "離反"}', NULL, 'sent', 1, NULL, '2026-06-02 03:01:02.000000', 'C0/1', NULL, 't1',
    '2026-06-02 03:01:00.000000'),
    ('m2', 'slack', '#cx-alerts', 2, '{"text": "続報"}', NULL, 'pending', 0, NULL, NULL, NULL, NULL, 't1', '2026-06-02 03:02:00.000000');
