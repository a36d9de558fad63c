-- What runs say of the blueprints that they tried. A run's id is a hash of what it did.
CREATE TABLE field_run (
    id TEXT PRIMARY KEY NOT NULL,
    host TEXT NOT NULL
);
ALTER TABLE field_report ADD COLUMN run TEXT NOT NULL DEFAULT '';
ALTER TABLE field_report ADD COLUMN seed TEXT NOT NULL DEFAULT '';
CREATE INDEX field_report_in ON field_report (run, number);
CREATE TABLE field_candidates (
    run TEXT NOT NULL REFERENCES field_run (id),
    blueprint TEXT NOT NULL REFERENCES blueprint (id),
    measured INTEGER NOT NULL,
    chosen INTEGER NOT NULL,
    PRIMARY KEY (run, blueprint)
) WITHOUT ROWID;
