import type { Names } from './table-names.ts'

/** What a commit does to a row: checks it and no more, puts it, creates it, removes it. */
export type Kind = 's' | 'p' | 'c' | 'r'

/**
 * One commit, called as one statement. In a function each statement has a snapshot of its own (volatile, READ COMMITTED), which a
 * commit needs. `row_keys` are in key order, each once, and the other arrays are as long.
 *
 * 1. The rows are locked one by one in that order, so that two commits can't wait for each other. Rows that are only checked are
 *    locked FOR SHARE: whoever adds below a container does not wait for others who do. A subquery with a lock is run once per key,
 *    by a nested loop. Each shows what it is once it is locked, so it is compared here: a version that a caller knows was
 *    committed before, so no row of that version can come later than this statement's snapshot. This takes the table's lock
 *    too, also where there is nothing to lock: whoever replaces all rows comes before the rest or after all of it.
 * 2. With everything locked new snapshots show what those that were waited for have committed: what is created is looked for, the
 *    generation is compared and not locked (over it nobody waits), and then it is written. In one statement the writes would
 *    see the moment before the wait: a row that was created under a guard meanwhile would outlive its removal.
 * 3. What is removed goes in a statement of its own, the last one: it sees what others have committed while another one waited for
 *    a row that nobody had before. A row to be removed that is not there is put first, empty, so that whoever creates it at
 *    the same time waits for this commit or this commit for it, and one of them comes after the other.
 *
 * What is created is looked for first, which spares the server's log most duplicates; a race that is left ends with 23505. Rows
 * that nobody had yet can't be locked, so two commits that write the same new rows may still meet (40P01): the caller runs it
 * again. What others hear of is what is written; null keys in their table mean all.
 *
 * PL/pgSQL keeps the plans of its statements in the server's process: whose connection that is does not matter. They are made once,
 * perhaps while the table is empty, and must be good for a large one: hence the settings, and no join with the rows but
 * by LATERAL, no subquery on them that could be hashed.
 */
export const commitFunction = ({ rows, changes, commit }: Names): string => `
CREATE FUNCTION ${commit}(
  commit_id bigint, commit_writer bigint, generation_key bytea, generation_version bigint,
  row_keys bytea[], row_kinds "char"[], row_versions bigint[], row_offsets integer[], row_lengths integer[], packed bytea
) RETURNS text LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
AS $body$
DECLARE
  differing bigint;
BEGIN
  IF current_setting('synchronous_commit') = 'off' OR current_setting('transaction_isolation') <> 'read committed' THEN
    RETURN 'unsound';
  END IF;

  SELECT count(*) FILTER (WHERE k.version <> coalesce(a.version, b.version, -1)) INTO differing
  FROM unnest(row_keys, row_kinds, row_versions) AS k(key, kind, version)
  LEFT JOIN LATERAL (SELECT r.version FROM ${rows} r WHERE r.key = k.key AND k.kind IN ('p', 'r') FOR UPDATE) a ON true
  LEFT JOIN LATERAL (SELECT r.version FROM ${rows} r WHERE r.key = k.key AND k.kind = 's' FOR SHARE) b ON true;
  IF differing > 0 THEN
    RETURN 'conflict';
  END IF;

  IF 'c' = ANY (row_kinds) AND EXISTS (
    SELECT FROM ${rows} r
    WHERE r.key = ANY (ARRAY(SELECT k.key FROM unnest(row_keys, row_kinds) AS k(key, kind) WHERE k.kind = 'c'))
  ) THEN
    RETURN 'conflict';
  END IF;

  INSERT INTO ${changes} (xid, writer, id, keys)
  SELECT pg_current_xact_id(), commit_writer, commit_id,
    ARRAY(SELECT k.key FROM unnest(row_keys, row_kinds) AS k(key, kind) WHERE k.kind <> 's')
  WHERE generation_key = ''
    OR EXISTS (SELECT FROM ${rows} r WHERE r.key = generation_key AND r.version = generation_version);
  IF NOT FOUND THEN
    RETURN 'conflict';
  END IF;

  IF 'c' = ANY (row_kinds) THEN
    INSERT INTO ${rows} (key, version, value)
    SELECT k.key, commit_id, substring(packed FROM k.at FOR k.size)
    FROM unnest(row_keys, row_kinds, row_offsets, row_lengths) AS k(key, kind, at, size)
    WHERE k.kind = 'c';
  END IF;

  IF 'r' = ANY (row_kinds) THEN
    INSERT INTO ${rows} (key, version, value)
    SELECT k.key, commit_id, substring(packed FROM k.at FOR k.size)
    FROM unnest(row_keys, row_kinds, row_offsets, row_lengths) AS k(key, kind, at, size)
    WHERE k.kind = 'p' OR k.kind = 'r' AND (SELECT r.version FROM ${rows} r WHERE r.key = k.key) IS NULL
    ON CONFLICT (key) DO UPDATE SET version = excluded.version, value = excluded.value;
    DELETE FROM ${rows}
    WHERE key = ANY (ARRAY(SELECT k.key FROM unnest(row_keys, row_kinds) AS k(key, kind) WHERE k.kind = 'r'));
  ELSE
    INSERT INTO ${rows} (key, version, value)
    SELECT k.key, commit_id, substring(packed FROM k.at FOR k.size)
    FROM unnest(row_keys, row_kinds, row_offsets, row_lengths) AS k(key, kind, at, size)
    WHERE k.kind = 'p'
    ON CONFLICT (key) DO UPDATE SET version = excluded.version, value = excluded.value;
  END IF;
  RETURN 'ok';
END
$body$`
