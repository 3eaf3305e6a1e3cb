-- Snapshots in the store's file, made with the first one. They may be deleted at any time.

-- One row an aggregate.
CREATE TABLE IF NOT EXISTS snapshots (
    id          INTEGER PRIMARY KEY,
    namespace   TEXT NOT NULL,      -- organization.unit.domain
    entity      TEXT NOT NULL,
    key         TEXT NOT NULL,      -- the aggregate's id on the wire
    version     INTEGER NOT NULL,   -- as it was told when it was saved
    sealed      BLOB NOT NULL,      -- the snapshot with its seal
    UNIQUE (namespace, entity, key)
) STRICT;
