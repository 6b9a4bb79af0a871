/** What PostgreSQL is asked for one request: counted in its own log of statements. */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { startPostgres } from '../../test/postgres/postgres-server.ts'
import { missingPostgres } from '../../test/postgres/programs.mjs'
import { queriesLimit } from '../limits.ts'
import { applicationToken, open, startCoffer } from '../server/coffer.ts'
import { below, type Figure, type Study } from './study.ts'

const requests = 200

const only = (key: string) => new RegExp(`= '\\{"\\\\\\\\x${Buffer.from(key).toString('hex')}[0-9a-f]*"\\}'`)

/** What goes on by itself, each second or more often, however many requests there are. */
const byItself: readonly RegExp[] = [
  // The poll for changes, the node's beat, the heads of the audit's chains.
  /WITH snap AS MATERIALIZED/,
  /INSERT INTO "coffer_rows_nodes"/,
  only('ns/root/audit/chain/'),
  // Whoever leads looks at its fence and for work: lists, and which namespaces there are.
  /SELECT substring\(key FROM/,
  only('core/leader'),
  only('ns/root/epoch/namespaces'),
]

/** Each statement with its parameters. */
function statementsIn(log: string): string[] {
  return log.split(/^(?=<\d+> LOG: {2}(?:execute|statement))/m).filter((block) => /^<\d+> LOG: {2}(?:e|s)/.test(block))
}

async function perRequest(log: () => string, send: () => Promise<unknown>): Promise<number> {
  await send()
  const before = log().length
  for (let n = 0; n < requests; n += 1) await send()
  const asked = statementsIn(log().slice(before)).filter((text) => !byItself.some((form) => form.test(text)))
  return asked.length / requests
}

export const queries: Study = {
  name: 'queries',
  title: 'Statements that PostgreSQL gets for one request',
  ci: true,
  missing: missingPostgres,
  async run(_setting, bench) {
    // A server of its own: logging every statement would slow others.
    const postgres = await startPostgres({ log_statement: 'all', log_line_prefix: '<%p> ' })
    const folder = join(bench.scratch, 'queries')
    mkdirSync(folder, { recursive: true })
    try {
      const coffer = await startCoffer({ folder, postgres: postgres.url(await postgres.newDatabase()) })
      try {
        const { rootToken } = await open(coffer, folder)
        await coffer.call('POST', 'sys/mounts/secret', { type: 'kv', options: { version: '2' } }, rootToken)
        const token = await applicationToken(coffer, rootToken)
        const write = () => coffer.call('POST', 'secret/data/a', { data: { a: '1' } }, token)
        await write()
        const sent: readonly (readonly [string, () => Promise<unknown>])[] = [
          ['KV read', () => coffer.call('GET', 'secret/data/a', undefined, token)],
          ['KV write', write],
          ['lookup-self', () => coffer.call('GET', 'auth/token/lookup-self', undefined, token)],
          ['sys/tools/hash', () => coffer.call('POST', 'sys/tools/hash', { input: 'YWJj' }, token)],
        ]
        const figures: Figure[] = []
        for (const [name, send] of sent) {
          bench.progress.step(`queries: ${name}`)
          const value = await perRequest(() => postgres.log(), send)
          figures.push({ name, value, unit: '', ...(name === 'KV read' ? { limit: below(queriesLimit) } : {}) })
        }
        const notes = [`${requests} requests of each kind, one after the other.`]
        return { study: 'queries', title: queries.title, figures, notes }
      } finally {
        await coffer.stop()
      }
    } finally {
      await postgres.close()
      rmSync(folder, { recursive: true, force: true })
    }
  },
}
