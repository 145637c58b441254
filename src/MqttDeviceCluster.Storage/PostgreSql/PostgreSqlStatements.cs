namespace MqttDeviceCluster.Storage.PostgreSql;

/// <summary>The statements of the store. They are planned at each execution: a plan kept from when the table was small would read all of it later.</summary>
internal static class PostgreSqlStatements
{
    /// <summary>
    /// Applies changes that name each key once, and returns the ordinals of those that it applied. One statement is one round trip and one commit.
    /// </summary>
    /// <remarks>
    /// Rows are taken in one order by everybody, inserts first and then the others, each by key: silos that happen to write the same keys wait for each other and never
    /// in a circle. <c>held</c> waits for whoever has a row and gets its newest version; one that changed meanwhile has another ETag then, and the change conflicts.
    /// </remarks>
    public const string Apply = """
        WITH change AS MATERIALIZED (
          SELECT * FROM unnest($1::int[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bytea[])
            AS change (ordinal, service_id, grain_type, grain_key, state_name, expected, etag, state, state_bytes)
        ), inserted AS (
          INSERT INTO mdc_grain_state (service_id, grain_type, grain_key, state_name, etag, modified_at, state, state_bytes)
          SELECT service_id, grain_type, grain_key, state_name, etag, $10, state, state_bytes
          FROM change
          WHERE expected IS NULL AND etag IS NOT NULL
          ORDER BY service_id COLLATE "C", grain_type COLLATE "C", grain_key COLLATE "C", state_name COLLATE "C"
          ON CONFLICT DO NOTHING
          RETURNING service_id, grain_type, grain_key, state_name
        ), held AS MATERIALIZED (
          SELECT change.ordinal
          FROM change JOIN mdc_grain_state AS stored USING (service_id, grain_type, grain_key, state_name)
          WHERE stored.etag = change.expected
          ORDER BY stored.service_id, stored.grain_type, stored.grain_key, stored.state_name
          FOR UPDATE OF stored
        ), updated AS (
          UPDATE mdc_grain_state AS stored
          SET etag = change.etag, modified_at = $10, state = change.state, state_bytes = change.state_bytes
          FROM held JOIN change USING (ordinal)
          WHERE stored.service_id = change.service_id AND stored.grain_type = change.grain_type AND stored.grain_key = change.grain_key
            AND stored.state_name = change.state_name AND stored.etag = change.expected AND change.etag IS NOT NULL
          RETURNING change.ordinal
        ), deleted AS (
          DELETE FROM mdc_grain_state AS stored
          USING held JOIN change USING (ordinal)
          WHERE stored.service_id = change.service_id AND stored.grain_type = change.grain_type AND stored.grain_key = change.grain_key
            AND stored.state_name = change.state_name AND stored.etag = change.expected AND change.etag IS NULL
          RETURNING change.ordinal
        )
        SELECT change.ordinal FROM inserted JOIN change USING (service_id, grain_type, grain_key, state_name)
        UNION ALL SELECT ordinal FROM updated
        UNION ALL SELECT ordinal FROM deleted
        """;

    /// <summary>Reads the ETags of several records, by ordinal.</summary>
    public const string ReadETags = """
        SELECT change.ordinal, stored.etag
        FROM unnest($1::int[], $2::text[], $3::text[], $4::text[], $5::text[]) AS change (ordinal, service_id, grain_type, grain_key, state_name)
        JOIN mdc_grain_state AS stored USING (service_id, grain_type, grain_key, state_name)
        """;

    public const string Read = """
        SELECT etag, coalesce(state_bytes, convert_to(state, 'UTF8')) FROM mdc_grain_state
        WHERE service_id = $1 AND grain_type = $2 AND grain_key = $3 AND state_name = $4
        """;

    /// <summary>
    /// Reads a page: a range of the primary key, whose last column is the state name. The page is cut in the server, by sizes that are known without reading the states,
    /// so that big states do not travel only to be dropped. <c>found</c> counts what it would be uncut.
    /// </summary>
    public const string Scan = """
        SELECT grain_key, coalesce(state_bytes, convert_to(state, 'UTF8')), modified_at, found
        FROM (
          SELECT *, count(*) OVER () AS found, sum(size) OVER (ORDER BY grain_key) - size AS size_before
          FROM (
            SELECT grain_key, state, state_bytes, modified_at, coalesce(octet_length(state), octet_length(state_bytes)) AS size
            FROM mdc_grain_state
            WHERE service_id = $1 AND grain_type = $2 AND state_name = $3 AND grain_key >= $4
              AND ($5::text IS NULL OR grain_key > $5) AND ($6::text IS NULL OR grain_key < $6)
            ORDER BY grain_key
            LIMIT $7::int + 1
          ) AS page
        ) AS sized
        WHERE size_before < $8
        ORDER BY grain_key
        LIMIT $7
        """;

    /// <summary>Asks for the rights of a write without writing, and has the server sync its log as a commit does.</summary>
    public const string ProbeWrite = """
        INSERT INTO mdc_grain_state SELECT * FROM mdc_grain_state WHERE false;
        UPDATE mdc_grain_state SET etag = etag WHERE false;
        DELETE FROM mdc_grain_state WHERE false;
        SELECT pg_logical_emit_message(true, 'mdc', 'probe');
        """;

    public const string ProbeRead = "SELECT etag FROM mdc_grain_state LIMIT 1";

    /// <summary>A server or role that does not wait for its disk would report what a power cut takes back. Any stronger setting is left as it is.</summary>
    public const string WaitForTheDisk =
        "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";
}
