-- The tables that Orleans' AdoNet clustering expects, and the statements that it reads from OrleansQuery.
--
-- A silo runs this by itself at its start when they are missing and its role may create tables. Otherwise run it once, as a role that may, in the database and schema
-- that the silos use, and let their role in:
--
--   GRANT SELECT ON mdc_schema, OrleansQuery TO the_role;
--   GRANT SELECT, INSERT, UPDATE, DELETE ON OrleansMembershipVersionTable, OrleansMembershipTable TO the_role;
--
-- Running it again changes nothing. It fits beside tables of Orleans that are there for other purposes: statements of the same keys are left as they are.

CREATE TABLE IF NOT EXISTS mdc_schema (
  part    text    NOT NULL PRIMARY KEY,
  version integer NOT NULL
);

CREATE TABLE IF NOT EXISTS OrleansQuery (
  QueryKey  varchar(64) NOT NULL PRIMARY KEY,
  QueryText text        NOT NULL
);

-- One row per cluster. Every change of its members is a change of this row first, from the version that the silo has seen to the next: of two silos that change
-- something at once one gets nothing, reads again and decides anew.
CREATE TABLE IF NOT EXISTS OrleansMembershipVersionTable (
  DeploymentId text        NOT NULL PRIMARY KEY,
  Timestamp    timestamptz NOT NULL DEFAULT now(),
  Version      integer     NOT NULL DEFAULT 0
);

CREATE TABLE IF NOT EXISTS OrleansMembershipTable (
  DeploymentId text        NOT NULL REFERENCES OrleansMembershipVersionTable (DeploymentId),
  Address      text        NOT NULL,
  Port         integer     NOT NULL,
  Generation   integer     NOT NULL,
  SiloName     text        NOT NULL,
  HostName     text        NOT NULL,
  Status       integer     NOT NULL,
  ProxyPort    integer,
  SuspectTimes text,
  StartTime    timestamptz NOT NULL,
  IAmAliveTime timestamptz NOT NULL,
  PRIMARY KEY (DeploymentId, Address, Port, Generation)
);

INSERT INTO OrleansQuery (QueryKey, QueryText) VALUES
('GatewaysQueryKey', $query$
  SELECT Address, ProxyPort, Generation
  FROM OrleansMembershipTable
  WHERE DeploymentId = @DeploymentId AND Status = @Status AND ProxyPort > 0
$query$),

-- A cluster without members is one row with the version and nothing else.
('MembershipReadAllKey', $query$
  SELECT v.Version, m.Address, m.Port, m.Generation, m.SiloName, m.HostName, m.Status, m.ProxyPort, m.SuspectTimes, m.StartTime, m.IAmAliveTime
  FROM OrleansMembershipVersionTable v
  LEFT JOIN OrleansMembershipTable m USING (DeploymentId)
  WHERE v.DeploymentId = @DeploymentId
$query$),

('MembershipReadRowKey', $query$
  SELECT v.Version, m.Address, m.Port, m.Generation, m.SiloName, m.HostName, m.Status, m.ProxyPort, m.SuspectTimes, m.StartTime, m.IAmAliveTime
  FROM OrleansMembershipVersionTable v
  LEFT JOIN OrleansMembershipTable m
    ON m.DeploymentId = v.DeploymentId AND m.Address = @Address AND m.Port = @Port AND m.Generation = @Generation
  WHERE v.DeploymentId = @DeploymentId
$query$),

('InsertMembershipVersionKey', $query$
  WITH created AS (
    INSERT INTO OrleansMembershipVersionTable (DeploymentId) VALUES (@DeploymentId) ON CONFLICT DO NOTHING RETURNING 1
  )
  SELECT EXISTS (SELECT FROM created)
$query$),

('InsertMembershipKey', $query$
  WITH moved AS (
    UPDATE OrleansMembershipVersionTable v
    SET Version = Version + 1, Timestamp = now()
    WHERE DeploymentId = @DeploymentId AND Version = @Version
      AND NOT EXISTS (
        SELECT FROM OrleansMembershipTable m
        WHERE m.DeploymentId = v.DeploymentId AND m.Address = @Address AND m.Port = @Port AND m.Generation = @Generation)
    RETURNING DeploymentId
  ), joined AS (
    INSERT INTO OrleansMembershipTable
      (DeploymentId, Address, Port, Generation, SiloName, HostName, Status, ProxyPort, StartTime, IAmAliveTime)
    SELECT DeploymentId, @Address, @Port, @Generation, @SiloName, @HostName, @Status, @ProxyPort, @StartTime, @IAmAliveTime
    FROM moved
    RETURNING 1
  )
  SELECT EXISTS (SELECT FROM joined)
$query$),

-- A heartbeat may be newer than what the silo that writes this has read.
('UpdateMembershipKey', $query$
  WITH moved AS (
    UPDATE OrleansMembershipVersionTable v
    SET Version = Version + 1, Timestamp = now()
    WHERE DeploymentId = @DeploymentId AND Version = @Version
      AND EXISTS (
        SELECT FROM OrleansMembershipTable m
        WHERE m.DeploymentId = v.DeploymentId AND m.Address = @Address AND m.Port = @Port AND m.Generation = @Generation)
    RETURNING DeploymentId
  ), changed AS (
    UPDATE OrleansMembershipTable m
    SET Status = @Status, SuspectTimes = @SuspectTimes, IAmAliveTime = greatest(m.IAmAliveTime, @IAmAliveTime)
    FROM moved
    WHERE m.DeploymentId = moved.DeploymentId AND m.Address = @Address AND m.Port = @Port AND m.Generation = @Generation
    RETURNING 1
  )
  SELECT EXISTS (SELECT FROM changed)
$query$),

('UpdateIAmAlivetimeKey', $query$
  UPDATE OrleansMembershipTable
  SET IAmAliveTime = @IAmAliveTime
  WHERE DeploymentId = @DeploymentId AND Address = @Address AND Port = @Port AND Generation = @Generation
$query$),

('DeleteMembershipTableEntriesKey', $query$
  DELETE FROM OrleansMembershipTable WHERE DeploymentId = @DeploymentId;
  DELETE FROM OrleansMembershipVersionTable WHERE DeploymentId = @DeploymentId
$query$),

-- 6 is Dead.
('CleanupDefunctSiloEntriesKey', $query$
  DELETE FROM OrleansMembershipTable
  WHERE DeploymentId = @DeploymentId AND Status = 6 AND StartTime < @IAmAliveTime AND IAmAliveTime < @IAmAliveTime
$query$),

('CleanupDefunctSiloEntryKey', $query$
  DELETE FROM OrleansMembershipTable
  WHERE DeploymentId = @DeploymentId AND Address = @Address AND Port = @Port AND Generation = @Generation AND Status = 6
    AND StartTime = @StartTime AND IAmAliveTime = @IAmAliveTime AND SuspectTimes IS NOT DISTINCT FROM @SuspectTimes
$query$)
ON CONFLICT (QueryKey) DO NOTHING;

INSERT INTO mdc_schema (part, version) VALUES ('clustering', 1) ON CONFLICT (part) DO NOTHING;
