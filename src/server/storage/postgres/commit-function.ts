import type { Names } from './table-names.ts'

/**
 * One commit, called as one statement. In a function of language sql each statement has a snapshot of its own (volatile, READ
 * COMMITTED), which a commit needs:
 *
 * 1. The rows of all keys are locked, one by one in the order of the caller's array (by key), so that two commits can't wait
 *    for each other. Rows that are only checked are locked FOR SHARE: whoever adds below a container does not wait for others
 *    who do. A subquery with a lock is run once per key, by a nested loop, in that order.
 * 2. With everything locked a new snapshot shows what those that were waited for have committed: compared, then written. In one
 *    statement the writes would see the moment before the wait: a row that was created under a guard meanwhile would outlive
 *    its removal.
 * 3. What is removed goes in a statement of its own, the last one: it sees what others have committed while the second one
 *    waited for a row that nobody had before. A row to be removed that is not there is put first, empty, so that whoever
 *    creates it at the same time waits for this commit or this commit for it, and one of them comes after the other. The
 *    outcome gets there in a setting of the transaction.
 *
 * What is created is looked for first, which spares the server's log most duplicates; a race that is left ends with 23505. Rows
 * that nobody had yet can't be locked, so two commits that write the same new rows may still meet (40P01): the caller runs it
 * again. `told` is what others hear of; null keys mean all.
 */
export const commitFunction = ({ rows, changes, commit }: Names): string => `
CREATE FUNCTION ${commit}(
  commit_id bigint, commit_writer bigint, lock_keys bytea[], lock_exclusive boolean[],
  check_keys bytea[], check_versions bigint[],
  create_keys bytea[], create_offsets integer[], create_lengths integer[],
  put_keys bytea[], put_offsets integer[], put_lengths integer[],
  remove_keys bytea[], told_keys bytea[], packed bytea
) RETURNS text LANGUAGE sql VOLATILE AS $body$
  SELECT count(a.version) + count(b.version)
  FROM unnest(lock_keys, lock_exclusive) AS k(key, exclusive)
  LEFT JOIN LATERAL (SELECT r.version FROM ${rows} r WHERE r.key = k.key AND k.exclusive FOR UPDATE) a ON true
  LEFT JOIN LATERAL (SELECT r.version FROM ${rows} r WHERE r.key = k.key AND NOT k.exclusive FOR SHARE) b ON true;

  WITH verdict AS MATERIALIZED (
    SELECT CASE
      WHEN current_setting('synchronous_commit') = 'off' OR current_setting('transaction_isolation') <> 'read committed'
        THEN 'unsound'
      WHEN (SELECT count(*) FROM unnest(check_keys, check_versions) AS c(key, version)
            JOIN ${rows} r ON r.key = c.key AND r.version = c.version) <> cardinality(check_keys)
        OR EXISTS (SELECT FROM ${rows} r WHERE r.key = ANY (create_keys))
        THEN 'conflict'
      ELSE 'ok' END AS outcome
  ), created AS (
    INSERT INTO ${rows} (key, version, value)
    SELECT w.key, commit_id, substring(packed FROM w.at FOR w.size)
    FROM unnest(create_keys, create_offsets, create_lengths) AS w(key, at, size)
    WHERE (SELECT outcome FROM verdict) = 'ok'
  ), put AS (
    INSERT INTO ${rows} (key, version, value)
    SELECT w.key, commit_id, substring(packed FROM w.at FOR w.size)
    FROM (
      SELECT * FROM unnest(put_keys, put_offsets, put_lengths) AS p(key, at, size)
      UNION ALL
      SELECT g.key, 1, 0 FROM unnest(remove_keys) AS g(key) WHERE NOT EXISTS (SELECT FROM ${rows} r WHERE r.key = g.key)
      ORDER BY key
    ) w
    WHERE (SELECT outcome FROM verdict) = 'ok'
    ON CONFLICT (key) DO UPDATE SET version = excluded.version, value = excluded.value
  ), told AS (
    INSERT INTO ${changes} (xid, writer, id, keys)
    SELECT pg_current_xact_id(), commit_writer, commit_id, told_keys WHERE (SELECT outcome FROM verdict) = 'ok'
  )
  SELECT set_config('coffer.outcome', outcome, true) FROM verdict;

  WITH removed AS (
    DELETE FROM ${rows} WHERE key = ANY (remove_keys) AND current_setting('coffer.outcome') = 'ok'
  )
  SELECT current_setting('coffer.outcome')
$body$`
