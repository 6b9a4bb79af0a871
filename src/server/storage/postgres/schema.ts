/** The tables and the one function, made under a lock by whichever node comes first. */
import { StorageDown } from '../../contracts/storage.ts'
import { commitFunction } from './commit-function.ts'
import { type Connections, toldAs } from './connection/connections.ts'
import type { Session } from './connection/session.ts'
import { type Names, tableFormat } from './table-names.ts'

const schemaDeadlineMs = 60_000

/** Values are encrypted already, so PostgreSQL need not try to compress them. */
const tables = ({ rows, changes, nodes, meta }: Names): string[] => [
  `CREATE TABLE ${rows} (key bytea PRIMARY KEY, version bigint NOT NULL, value bytea NOT NULL)`,
  `ALTER TABLE ${rows} ALTER COLUMN value SET STORAGE EXTERNAL`,
  `CREATE TABLE ${changes} (xid xid8 NOT NULL, writer bigint NOT NULL, id bigint NOT NULL, keys bytea[])`,
  `CREATE INDEX ON ${changes} (xid)`,
  `CREATE TABLE ${nodes} (id text PRIMARY KEY, beat timestamptz NOT NULL)`,
  `CREATE TABLE ${meta} (one boolean PRIMARY KEY DEFAULT true CHECK (one), format integer NOT NULL, trimmed xid8 NOT NULL)`,
  `INSERT INTO ${meta} (format, trimmed) VALUES (${tableFormat}, '0')`,
]

/** Of another role than the one that made the tables, and than this one: whoever may create in the schema could have put it there. */
const isForeign = `SELECT p.proowner <> c.relowner AND p.proowner <> (SELECT oid FROM pg_roles WHERE rolname = current_user)
  FROM pg_proc p, pg_class c WHERE p.oid = to_regproc($1) AND c.oid = to_regclass($2)`

/** Throws StorageDown, also for tables of a newer program. */
export async function prepareSchema(connections: Connections, names: Names): Promise<void> {
  try {
    await connections.use(async (session) => {
      const run = (text: string, values: string[] = []) => session.query(text, values, schemaDeadlineMs)
      await run('BEGIN ISOLATION LEVEL READ COMMITTED')
      try {
        // Of the transaction, not of the session: behind a pooler there is none.
        await run('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`coffer ${names.rows}`])
        await makeTables(session, names)
        await run('COMMIT')
      } catch (error) {
        await run('ROLLBACK').catch(() => undefined)
        throw error
      }
    })
  } catch (error) {
    throw toldAs(error, connections.where)
  }
}

async function makeTables(session: Session, names: Names): Promise<void> {
  const run = (text: string, values: string[] = []) => session.query(text, values, schemaDeadlineMs)
  const [found] = await run('SELECT to_regclass($1) IS NOT NULL, to_regclass($2) IS NOT NULL', [names.meta, names.rows])
  if (found?.[0] !== 't') {
    if (found?.[1] === 't') {
      throw new StorageDown(
        `the table ${names.rows} is not of this program: give it another name with "table", or import what it holds with coffer operator migrate`,
      )
    }
    // Whoever may create in this schema could have planted it, to be given every commit and run with this user's rights.
    const [planted] = await run('SELECT to_regproc($1) IS NOT NULL', [names.commit])
    if (planted?.[0] === 't') throw notOurs(names.commit, 'was there before the tables')
    for (const statement of tables(names)) await run(statement)
  } else {
    const [row] = await run(`SELECT format FROM ${names.meta}`)
    if (Number(row?.[0]) !== tableFormat) {
      throw new StorageDown(
        `the tables have format ${row?.[0]} and this program knows format ${tableFormat}: run a newer one`,
      )
    }
  }
  // An older program's tables have none of this name yet.
  const [made] = await run(isForeign, [names.commit, names.rows])
  if (made?.[0] === 't') throw notOurs(names.commit, 'belongs to another role')
  if (!made) await run(commitFunction(names))
  // After a restore into another cluster transaction ids begin anew, and what was told there means nothing here.
  await run(
    `DELETE FROM ${names.changes} WHERE xid >= pg_snapshot_xmax(pg_current_snapshot()) AND xid <> pg_current_xact_id()`,
  )
  await run(`UPDATE ${names.meta} SET trimmed = '0' WHERE trimmed > pg_snapshot_xmax(pg_current_snapshot())`)
  await run(`DELETE FROM ${names.nodes} WHERE beat < clock_timestamp() - interval '1 day'`)
}

const notOurs = (name: string, why: string) =>
  new StorageDown(
    `the function ${name} ${why}, so it is not of this program: find out who made it (\\df+), drop it, and let nobody else create in this schema`,
  )
