/** What somebody else may have put into the database before the first start: up to PostgreSQL 14 everyone may create in "public". */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { open } from './open-storage.ts'
import { type PostgresServer, startPostgres } from './postgres-server.ts'

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server?.close())

it('refuses a function that was there before the tables: it would be given every commit', async () => {
  const name = await server.newDatabase()
  const types = 'bigint,bigint,bytea,bigint,bytea[],"char"[],bigint[],integer[],integer[],bytea'
  await server.sql(
    `CREATE FUNCTION coffer_rows_commit_3(${types}) RETURNS text LANGUAGE sql AS $$ SELECT 'ok' $$`,
    name,
  )
  await expect(open(server.url(name))).rejects.toThrow('the function "coffer_rows_commit_3" was there before')
  // Nothing was made beside it.
  expect(await server.sql("SELECT count(*) FROM pg_tables WHERE tablename LIKE 'coffer%'", name)).toEqual(['0'])
})
