-- outbox migration 0001 UP: ledger                                   kind: expand
-- EFFECT      creates schema outbox and table outbox.schema_migrations, the ledger of what is applied
-- LOCKS       none on existing objects
-- REWRITE     no      SCAN  no
-- DURATION    milliseconds
-- DATA LOST   none
-- COMPAT      nothing runs before it
-- RUN         outboxd migrate up --to 1
--             psql -X -v ON_ERROR_STOP=1 --single-transaction -f 0001_ledger.up.sql
-- ON FAILURE  one transaction: nothing is changed. 42P06 = the schema exists already
-- VERIFY      SELECT version, name FROM outbox.schema_migrations;
-- ==== SQL ====
SET LOCAL lock_timeout = '2s';

CREATE SCHEMA outbox;
COMMENT ON SCHEMA outbox IS 'outboxd: jobs that applications insert in their own transactions, and what became of them.';

CREATE TABLE outbox.schema_migrations (
  version    integer     CONSTRAINT schema_migrations_pkey PRIMARY KEY,
  name       text        NOT NULL,
  min_reader integer     NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  applied_by text        NOT NULL DEFAULT session_user,
  applied_via text       NOT NULL DEFAULT coalesce(nullif(current_setting('application_name', true), ''), 'unknown'),
  up_sha256  text,
  down_sql   text
);
COMMENT ON TABLE outbox.schema_migrations IS 'The ledger: one row for each applied migration, written by the migration itself.';
COMMENT ON COLUMN outbox.schema_migrations.version IS 'Number of the migration file.';
COMMENT ON COLUMN outbox.schema_migrations.name IS 'Name of the migration file, without number and ending.';
COMMENT ON COLUMN outbox.schema_migrations.min_reader IS 'Oldest schema version that a program may have been built for and still run on this one.';
COMMENT ON COLUMN outbox.schema_migrations.applied_at IS 'When it was applied, by the database clock.';
COMMENT ON COLUMN outbox.schema_migrations.applied_by IS 'Session user that applied it.';
COMMENT ON COLUMN outbox.schema_migrations.applied_via IS 'application_name of that session.';
COMMENT ON COLUMN outbox.schema_migrations.up_sha256 IS 'SHA-256 of the SQL below the header; NULL when applied by hand.';
COMMENT ON COLUMN outbox.schema_migrations.down_sql IS 'The way back, so that an older program or psql alone can undo it; NULL when applied by hand.';
COMMENT ON INDEX outbox.schema_migrations_pkey IS 'One row a version.';

INSERT INTO outbox.schema_migrations (version, name, min_reader) VALUES (1, 'ledger', 1);
