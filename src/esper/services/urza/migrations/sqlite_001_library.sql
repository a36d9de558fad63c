-- Content never changes after it was added; what changes (status, collected) has a column of its own.
CREATE TABLE blueprint (
    id TEXT PRIMARY KEY NOT NULL,      -- hash of the Program
    status TEXT NOT NULL
        CHECK (status IN ('UNVALIDATED', 'COMPILING', 'COMPILED', 'INVALID', 'ARCHIVED')),
    updated TEXT NOT NULL,
    record TEXT NOT NULL               -- a contracts::Blueprint
);
CREATE INDEX blueprint_status ON blueprint (status, id);
CREATE TABLE lineage (
    child TEXT NOT NULL,
    parent TEXT NOT NULL,
    PRIMARY KEY (child, parent)
) WITHOUT ROWID;
CREATE TABLE kernel (
    id TEXT PRIMARY KEY NOT NULL,
    blueprint TEXT NOT NULL REFERENCES blueprint (id),
    precision TEXT NOT NULL,
    status TEXT NOT NULL
        CHECK (status IN ('PENDING_BENCHMARKING', 'VALIDATED', 'REJECTED', 'DEPRECATED')),
    latency REAL,                      -- milliseconds, of the newest report
    memory REAL,                       -- MiB
    object TEXT NOT NULL,              -- SHA-256 of the file in objects/
    collected INTEGER NOT NULL DEFAULT 0 CHECK (collected IN (0, 1)),
    manifest BLOB NOT NULL,
    forge_key TEXT NOT NULL,
    forge_signature BLOB NOT NULL,
    record TEXT NOT NULL               -- a contracts::CompiledKernelArtifact
);
CREATE INDEX kernel_of ON kernel (blueprint, precision);
CREATE INDEX kernel_status ON kernel (status, latency, id);
CREATE INDEX kernel_object ON kernel (object);
CREATE TABLE verdict (
    number INTEGER PRIMARY KEY NOT NULL,
    kernel TEXT NOT NULL REFERENCES kernel (id),
    statement BLOB NOT NULL,
    gauntlet_key TEXT NOT NULL,
    gauntlet_signature BLOB NOT NULL,
    report BLOB NOT NULL               -- a contracts::UrabraskValidationReport
);
CREATE INDEX verdict_of ON verdict (kernel, number);
CREATE TABLE tag (
    tag TEXT NOT NULL,
    kernel TEXT NOT NULL,
    PRIMARY KEY (tag, kernel)
) WITHOUT ROWID;
CREATE TABLE field_report (
    number INTEGER PRIMARY KEY NOT NULL,
    blueprint TEXT NOT NULL,
    record TEXT NOT NULL               -- a contracts::FieldReport
);
CREATE INDEX field_report_of ON field_report (blueprint, number);
CREATE TABLE ledger (
    number INTEGER PRIMARY KEY NOT NULL,
    at TEXT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    digest TEXT NOT NULL,              -- SHA-256 of what was added
    hash TEXT NOT NULL                 -- over all of these and the hash before
);
CREATE INDEX ledger_of ON ledger (subject, action);
CREATE TABLE ledger_head (
    one INTEGER PRIMARY KEY NOT NULL CHECK (one = 1),
    statement BLOB NOT NULL,
    library_key TEXT NOT NULL,
    library_signature BLOB NOT NULL
);
