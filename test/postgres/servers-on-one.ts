import { afterAll, beforeAll, expect } from 'vitest'
import { startServer, type TestServer } from '../e2e/server-process.ts'
import { type PostgresServer, startPostgres } from './postgres-server.ts'

export interface ServersOnOne {
  readonly nodes: readonly TestServer[]
  at(i: number): TestServer
  readonly database: PostgresServer
}

/** For all tests of a file: so many unsealed servers on a database of a PostgreSQL of its own. `settings`: further ones of the storage. */
export function serversOnOne(count: number, settings = ''): ServersOnOne {
  let database: PostgresServer | undefined
  const nodes: TestServer[] = []
  beforeAll(async () => {
    database = await startPostgres()
    const url = database.url(await database.newDatabase())
    const storage = `storage "postgresql" {\n  connection_url = "${url}"\n  ${settings}\n}`
    for (let i = 0; i < count; i += 1) nodes.push(await startServer({ storage, joins: nodes[0] }))
  })
  afterAll(async () => {
    await Promise.all(nodes.map((node) => node.close()))
    await database?.close()
  })
  return {
    nodes,
    at: (i) => nodes[i] ?? expect.unreachable('no such node'),
    get database() {
      return database ?? expect.unreachable('no test has begun')
    },
  }
}
