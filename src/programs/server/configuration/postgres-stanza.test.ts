import { describe, expect, it } from 'vitest'
import { parseConfiguration } from '../configuration.ts'

const parse = (inside: string) => parseConfiguration(`storage "postgresql" {\n${inside}\n}`)

describe('storage "postgresql"', () => {
  it("takes Vault's names", () => {
    const { storage, warnings } = parse(
      'connection_url = "postgres://u:p@localhost/d"\ntable = "Secrets.rows"\nmax_parallel = "32"\nmax_idle_connections = 4\nha_enabled = "true"\nmax_connect_retries = 5',
    )
    expect(storage).toEqual({
      kind: 'postgresql',
      connectionUrl: 'postgres://u:p@localhost/d',
      table: 'Secrets.rows',
      maxParallel: 32,
      maxIdle: 4,
      connectRetries: 5,
    })
    expect(warnings).toEqual([])
  })

  it('has its URL in the environment when it names none', () => {
    expect(parse('password = "file:///run/secrets/pg"').storage).toEqual({
      kind: 'postgresql',
      password: 'file:///run/secrets/pg',
      table: 'coffer_rows',
      maxParallel: 16,
      maxIdle: 16,
      connectRetries: 0,
    })
  })

  it('warns of what has no effect', () => {
    expect(parse('ha_enabled = false\nha_table = "x"').warnings).toEqual([
      '"ha_table" in storage "postgresql" has no effect: nodes meet in the tables of the storage',
      '"ha_enabled" in storage "postgresql" has no effect: every node is active',
    ])
  })

  it.each([
    ['connection_url = "postgres://u:canary@h/d?sslmode=prefer"', 'storage "postgresql": sslmode must be one of'],
    ['connection_url = "u:canary@h"', 'connection_url must look like postgres://user:password@host'],
    ['table = "a; drop"', '"table" must be a name of letters, digits and _'],
    ['table = "a.b.c"', '"table" must be a name of letters, digits and _'],
    ['max_parallel = 0', '"max_parallel" must be at least 1'],
    [
      'skip_create_table = true',
      '"skip_create_table" in storage "postgresql" is not supported: the program makes its tables',
    ],
    ['path = "/x"', 'unknown key "path" in storage "postgresql"; accepted are connection_url,'],
  ])('%s is refused', (inside, words) => {
    expect(() => parse(inside)).toThrow(words)
    expect(() => parse(inside)).not.toThrow('canary')
  })
})
