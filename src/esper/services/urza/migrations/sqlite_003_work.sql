-- What workers are to do. A lease is held with a token, which every claim raises: who claimed before
-- has an older one and can change nothing any more. Times are milliseconds since 1970.
CREATE TABLE work (
    id TEXT PRIMARY KEY NOT NULL,
    subject TEXT NOT NULL,
    hardware TEXT NOT NULL,
    orders TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'leased', 'done', 'dead')),
    worker TEXT NOT NULL DEFAULT '',
    token INTEGER NOT NULL DEFAULT 0,
    leased_until INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    not_before INTEGER NOT NULL,
    said TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE INDEX work_next ON work (hardware, state, not_before);
