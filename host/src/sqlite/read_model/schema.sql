-- Read models, version 2, in the store's own file or in one of their own. People may query all of
-- it; only projectors write it.
--
-- Each collection is a table of its own, named `<projection>__<collection>`:
--
--     CREATE TABLE activity__entities (
--         key         TEXT NOT NULL PRIMARY KEY,
--         document    TEXT NOT NULL               -- JSON
--     ) STRICT;
--
-- A name may have `__` in it, so two pairs of names may ask for one table: the second is refused.
-- It has row ids, since documents of more than some hundred bytes are written two to three times as
-- fast that way.

-- One row: the version of these tables.
CREATE TABLE read_model (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    version     INTEGER NOT NULL
) STRICT;

-- One row a projection.
CREATE TABLE projections (
    name            TEXT NOT NULL PRIMARY KEY,
    handler         TEXT NOT NULL,      -- a plugin's BLAKE3 hash, or a native handler's identity
    configuration   TEXT NOT NULL,      -- BLAKE3 hash of the plugin's configuration; empty without one
    handler_version TEXT NOT NULL,      -- for people
    store_id        BLOB NOT NULL,      -- UUID, 16 bytes, of the store that the events are from
    epoch           INTEGER NOT NULL,   -- how often a projector took it over; an older one is fenced off
    position        INTEGER NOT NULL,   -- the checkpoint: 0 before the first event
    state           TEXT NOT NULL,      -- catching-up, live, parked, failed
    events          INTEGER NOT NULL,   -- events that took effect
    started_at      INTEGER NOT NULL,   -- microseconds since 1970, as all times here
    updated_at      INTEGER NOT NULL,   -- the last sign of life of its projector
    caught_up_at    INTEGER,            -- when the documents were last as new as the store
    stopped_at      INTEGER,            -- when its projector ended; null while one runs or was killed
    error_code      TEXT,               -- why it failed
    error_message   TEXT                -- with its causes
) STRICT, WITHOUT ROWID;

-- One row a collection.
CREATE TABLE collections (
    projection      TEXT NOT NULL REFERENCES projections (name),
    collection      TEXT NOT NULL,
    table_name      TEXT NOT NULL UNIQUE,
    PRIMARY KEY (projection, collection)
) STRICT, WITHOUT ROWID;

-- One row an event that is set aside. The events of an aggregate are a queue in the order of their
-- positions: the first is the cause, the others wait behind it. Bodies stay in the store.
CREATE TABLE parked (
    projection      TEXT NOT NULL REFERENCES projections (name),
    aggregate       TEXT NOT NULL,      -- organization.unit.domain.entity.id
    position        INTEGER NOT NULL,   -- of the event in the store
    version         INTEGER,            -- null where an invalid event does not tell
    event_id        BLOB,               -- UUID v7, 16 bytes; null likewise
    cid             BLOB,               -- 36 bytes; null likewise
    reason          TEXT NOT NULL CHECK (reason IN ('fault', 'invalid', 'diverted')),
    code            TEXT,               -- of the fault; null for diverted
    message         TEXT,               -- of the fault; null for diverted
    parked_at       INTEGER NOT NULL,
    PRIMARY KEY (projection, aggregate, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX parked_by_position ON parked (projection, position);
