-- The table of sqlite_003_work.sql.
CREATE TABLE work (
    id TEXT COLLATE "C" PRIMARY KEY,
    subject TEXT NOT NULL,
    hardware TEXT COLLATE "C" NOT NULL,
    orders TEXT NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('waiting', 'leased', 'done', 'dead')),
    worker TEXT NOT NULL DEFAULT '',
    token BIGINT NOT NULL DEFAULT 0,
    leased_until BIGINT NOT NULL DEFAULT 0,
    attempts BIGINT NOT NULL DEFAULT 0,
    not_before BIGINT NOT NULL,
    said TEXT NOT NULL DEFAULT ''
);
CREATE INDEX work_next ON work (hardware, state, not_before);
