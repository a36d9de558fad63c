-- The tables of sqlite_002_field.sql.
CREATE TABLE field_run (
    id TEXT COLLATE "C" PRIMARY KEY,
    host TEXT COLLATE "C" NOT NULL
);
ALTER TABLE field_report ADD COLUMN run TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE field_report ADD COLUMN seed TEXT NOT NULL DEFAULT '';
CREATE INDEX field_report_in ON field_report (run, number);
CREATE TABLE field_candidates (
    run TEXT COLLATE "C" NOT NULL REFERENCES field_run (id),
    blueprint TEXT COLLATE "C" NOT NULL REFERENCES blueprint (id),
    measured BIGINT NOT NULL,
    chosen BIGINT NOT NULL,
    PRIMARY KEY (run, blueprint)
);
