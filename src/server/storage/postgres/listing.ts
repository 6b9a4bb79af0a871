import type { ListPage } from '../../contracts/storage.ts'
import { listAfter, pastFolder } from '../rules.ts'
import type { Connections } from './connection/connections.ts'
import { keyOf, prefixEnd } from './encoding.ts'
import type { Names } from './table-names.ts'

/** Names below `prefix`. Rejects as `Connections.query`. */
export async function listNames(
  connections: Connections,
  names: Names,
  prefix: string,
  page: ListPage,
): Promise<string[]> {
  const after = listAfter(page)
  // `>= name + NUL` is `> name`: no key has a NUL. The prefix itself is no name below it.
  const from = after?.folder ? pastFolder(prefix + after.name) : `${prefix}${after?.name ?? ''}\0`
  const text = page.depth === 'children' ? childrenText(names) : allText(names)
  const start = Buffer.from(prefix)
  const values = [Buffer.from(from), prefixEnd(start) ?? pastEverything, String(start.length), String(page.limit)]
  return (await connections.read(text, values)).map(([name]) => keyOf(name))
}

/** UTF-8 has no such byte. */
const pastEverything = Buffer.from([0xff])

const allText = ({ rows }: Names) => `
  SELECT substring(key FROM $3::integer + 1) FROM ${rows} WHERE key >= $1::bytea AND key < $2::bytea ORDER BY key LIMIT $4::bigint`

/** Seeks from name to name: past a folder in one step, however much is in it. */
const childrenText = ({ rows }: Names) => `
  WITH RECURSIVE step AS (
    SELECT NULL::bytea AS name, $1::bytea AS next, 0::bigint AS n
    UNION ALL
    SELECT
      CASE WHEN f.slash > 0 THEN substring(f.name FOR f.slash) ELSE f.name END,
      CASE WHEN f.slash > 0 THEN substring(f.key FOR $3::integer + f.slash - 1) || '0'::bytea ELSE f.key || '\\x00'::bytea END,
      s.n + 1
    FROM step s CROSS JOIN LATERAL (
      SELECT k.key, substring(k.key FROM $3::integer + 1) AS name,
        position('/'::bytea IN substring(k.key FROM $3::integer + 1)) AS slash
      FROM ${rows} k WHERE k.key >= s.next AND k.key < $2::bytea ORDER BY k.key LIMIT 1
    ) f
    WHERE s.n < $4::bigint
  )
  SELECT name FROM step WHERE name IS NOT NULL ORDER BY n`
