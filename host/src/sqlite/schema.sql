-- The SQLite store, version 1. People may query it; only the store writes it.

-- One row: what the store is.
CREATE TABLE store (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    store_id    BLOB NOT NULL,      -- UUID, 16 bytes
    template    TEXT NOT NULL,      -- subject template, JSON
    created_at  INTEGER NOT NULL    -- microseconds since 1970
) STRICT;

-- One row an aggregate. Its version and head are those of its last event.
CREATE TABLE aggregates (
    id          INTEGER PRIMARY KEY,
    namespace   TEXT NOT NULL,      -- organization.unit.domain
    entity      TEXT NOT NULL,
    key         TEXT NOT NULL,      -- the aggregate's id on the wire
    UNIQUE (namespace, entity, key)
) STRICT;

-- One row an event, in store order. Rows are never changed or removed.
CREATE TABLE events (
    position        INTEGER PRIMARY KEY CHECK (position > 0),
    aggregate       INTEGER NOT NULL REFERENCES aggregates (id),
    version         INTEGER NOT NULL,   -- 1, 2, 3 … within the aggregate
    event_id        BLOB NOT NULL,      -- UUID v7, 16 bytes
    correlation_id  BLOB NOT NULL,      -- UUID, 16 bytes
    causation_id    BLOB,               -- UUID, 16 bytes; null for a root
    type            TEXT NOT NULL,
    operation       TEXT NOT NULL,      -- the subject's last token
    schema_version  INTEGER NOT NULL,
    time            INTEGER NOT NULL,   -- microseconds since 1970
    source          TEXT NOT NULL,
    content_type    TEXT NOT NULL,
    metadata        TEXT,               -- JSON object of texts; null if there is none
    traceparent     TEXT,
    tracestate      TEXT,
    previous_cid    BLOB,               -- 36 bytes; null exactly at version 1
    cid             BLOB NOT NULL,      -- 36 bytes
    body            BLOB NOT NULL       -- the payload as its producer wrote it
) STRICT;

CREATE UNIQUE INDEX events_by_version ON events (aggregate, version);
CREATE UNIQUE INDEX events_by_id ON events (event_id);
CREATE INDEX events_by_correlation ON events (correlation_id);
CREATE INDEX events_by_type ON events (type);

-- The same in forms that people read: ids in hex, times as text, the body as text.
CREATE VIEW event_log AS
SELECT
    position,
    namespace, entity, key, version,
    type, operation, schema_version,
    strftime('%Y-%m-%dT%H:%M:%S', time / 1000000, 'unixepoch')
        || printf('.%06dZ', time % 1000000) AS time,
    lower(hex(event_id)) AS event_id,
    lower(hex(correlation_id)) AS correlation_id,
    lower(hex(causation_id)) AS causation_id,
    source, content_type, metadata,
    lower(hex(cid)) AS cid,
    CAST(body AS TEXT) AS body
FROM events JOIN aggregates ON aggregates.id = events.aggregate;
