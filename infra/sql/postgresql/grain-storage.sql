-- The table of the grain storage "PostgreSql" of MqttDeviceCluster.
--
-- A silo runs this by itself at its start when the table is missing and its role may create one. Otherwise run it once, as a role that may, in the database and
-- schema that the silos use, and let their role in:
--
--   GRANT SELECT ON mdc_schema TO the_role;
--   GRANT SELECT, INSERT, UPDATE, DELETE ON mdc_grain_state TO the_role;
--
-- Running it again changes nothing.

CREATE TABLE IF NOT EXISTS mdc_schema (
  part    text    NOT NULL PRIMARY KEY,
  version integer NOT NULL
);

-- Keys compare byte by byte ("C"), whatever the database's collation: 0a, a and A are different grains. The state is text when it is valid UTF-8 without a NUL, so
-- that psql shows it and it can be cast to jsonb, and bytes otherwise.
CREATE TABLE IF NOT EXISTS mdc_grain_state (
  service_id  text COLLATE "C" NOT NULL,
  grain_type  text COLLATE "C" NOT NULL,
  grain_key   text COLLATE "C" NOT NULL,
  state_name  text COLLATE "C" NOT NULL,
  etag        text COLLATE "C" NOT NULL,
  modified_at timestamptz      NOT NULL,
  state       text COLLATE "C",
  state_bytes bytea,
  PRIMARY KEY (service_id, grain_type, grain_key, state_name),
  CHECK (num_nonnulls(state, state_bytes) = 1)
);

-- Room on each page for the next version of its rows, and vacuum before a tenth of them are dead: device states are rewritten all the time.
ALTER TABLE mdc_grain_state SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.1);

INSERT INTO mdc_schema (part, version) VALUES ('grain-storage', 1) ON CONFLICT (part) DO NOTHING;
