-- What the first version of the program made in the database.
CREATE FUNCTION coffer_rows_commit_1(
  commit_id bigint, commit_writer bigint, lock_keys bytea[], lock_exclusive boolean[],
  check_keys bytea[], check_versions bigint[],
  create_keys bytea[], create_offsets integer[], create_lengths integer[],
  put_keys bytea[], put_offsets integer[], put_lengths integer[],
  remove_keys bytea[], told_keys bytea[], packed bytea
) RETURNS text LANGUAGE sql VOLATILE AS $body$
  SELECT count(a.version) + count(b.version)
  FROM unnest(lock_keys, lock_exclusive) AS k(key, exclusive)
  LEFT JOIN LATERAL (SELECT r.version FROM coffer_rows r WHERE r.key = k.key AND k.exclusive FOR UPDATE) a ON true
  LEFT JOIN LATERAL (SELECT r.version FROM coffer_rows r WHERE r.key = k.key AND NOT k.exclusive FOR SHARE) b ON true;

  WITH verdict AS MATERIALIZED (
    SELECT CASE
      WHEN current_setting('synchronous_commit') = 'off' OR current_setting('transaction_isolation') <> 'read committed'
        THEN 'unsound'
      WHEN (SELECT count(*) FROM unnest(check_keys, check_versions) AS c(key, version)
            JOIN coffer_rows r ON r.key = c.key AND r.version = c.version) <> cardinality(check_keys)
        OR EXISTS (SELECT FROM coffer_rows r WHERE r.key = ANY (create_keys))
        THEN 'conflict'
      ELSE 'ok' END AS outcome
  ), created AS (
    INSERT INTO coffer_rows (key, version, value)
    SELECT w.key, commit_id, substring(packed FROM w.at FOR w.size)
    FROM unnest(create_keys, create_offsets, create_lengths) AS w(key, at, size)
    WHERE (SELECT outcome FROM verdict) = 'ok'
  ), put AS (
    INSERT INTO coffer_rows (key, version, value)
    SELECT w.key, commit_id, substring(packed FROM w.at FOR w.size)
    FROM unnest(put_keys, put_offsets, put_lengths) AS w(key, at, size)
    WHERE (SELECT outcome FROM verdict) = 'ok'
    ON CONFLICT (key) DO UPDATE SET version = excluded.version, value = excluded.value
  ), removed AS (
    DELETE FROM coffer_rows WHERE key = ANY (remove_keys) AND (SELECT outcome FROM verdict) = 'ok'
  ), told AS (
    INSERT INTO coffer_rows_changes (xid, writer, id, keys)
    SELECT pg_current_xact_id(), commit_writer, commit_id, told_keys WHERE (SELECT outcome FROM verdict) = 'ok'
  )
  SELECT outcome FROM verdict
$body$;
