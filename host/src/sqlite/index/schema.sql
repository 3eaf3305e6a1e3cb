-- The local index of a store on JetStream, version 4. It can be deleted: it is made again from the
-- stream. People may query it; only stores write it.

-- One row: of which store it is, and up to which position it knows everything.
CREATE TABLE indexed (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    store_id    BLOB NOT NULL,      -- UUID, 16 bytes
    up_to       INTEGER NOT NULL,   -- 0 before the first event
    last_stored_at INTEGER NOT NULL, -- by the server: microseconds since 1970, of the last message
    generation  INTEGER NOT NULL    -- grows when it is emptied, since the stream had gone back
) STRICT;

CREATE TABLE aggregates (
    id          INTEGER PRIMARY KEY,
    namespace   TEXT NOT NULL,      -- organization.unit.domain
    entity      TEXT NOT NULL,
    key         TEXT NOT NULL,      -- the aggregate's id on the wire
    UNIQUE (namespace, entity, key)
) STRICT;

-- One row an event. Foreign messages may repeat ids and versions, so nothing is unique but the
-- position.
CREATE TABLE events (
    position        INTEGER PRIMARY KEY,    -- the message's sequence in the stream
    aggregate       INTEGER NOT NULL REFERENCES aggregates (id),
    version         INTEGER NOT NULL,
    event_id        BLOB NOT NULL,
    correlation_id  BLOB NOT NULL,
    type            TEXT NOT NULL,
    time            INTEGER NOT NULL,       -- microseconds since 1970
    cid             BLOB NOT NULL           -- 36 bytes
) STRICT;

-- One row a message that is no event: the history that its subject belongs to is not whole without
-- it.
CREATE TABLE invalid (
    position        INTEGER PRIMARY KEY,
    subject         TEXT NOT NULL
) STRICT;

CREATE INDEX invalid_by_subject ON invalid (subject);
CREATE INDEX events_by_version ON events (aggregate, version);
CREATE INDEX events_by_id ON events (event_id);
CREATE INDEX events_by_correlation ON events (correlation_id);
CREATE INDEX events_by_type ON events (type);
