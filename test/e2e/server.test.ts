import { readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { everythingBelow, startServer, type TestServer, unseal } from './server-process.ts'

const canary = 'cAnArY-7f3a9e51-never-in-a-log'

describe('a server process', () => {
  let server: TestServer

  beforeAll(async () => {
    server = await startServer({ auditDirectories: ['/dev'] })
    await server.request('PUT', 'sys/audit/file', {
      type: 'file',
      options: { file_path: join(server.dir, 'audit/audit.log') },
    })
    await server.request('POST', 'sys/mounts/secret', { type: 'kv', options: { version: '2' } })
  })
  afterAll(() => server?.close())

  it('keeps what it wrote over an orderly stop, which ends with status 0', async () => {
    const write = await server.request('POST', 'secret/data/kept', { data: { a: '1', big: 1 } })
    expect(write.status).toBe(200)
    expect(await server.kill('SIGTERM')).toBe(0)
    await server.start()
    expect((await server.request('GET', 'sys/seal-status', undefined, '')).json.sealed).toBe(true)
    expect((await server.request('GET', 'secret/data/kept')).status).toBe(503)
    await unseal(server)
    expect((await server.request('GET', 'secret/data/kept')).json.data.data).toEqual({ a: '1', big: 1 })
  })

  it('loses no acknowledged write to SIGKILL at any moment', async () => {
    for (let round = 0; round < 3; round += 1) {
      const acknowledged = new Map<string, number>()
      let writing = true
      const writers = Array.from({ length: 4 }, async (_, w) => {
        for (let n = 0; writing; n += 1) {
          const path = `secret/data/crash/${round}/${w}/${n % 7}`
          const answer = await server.request('POST', path, { data: { n } }).catch(() => undefined)
          if (answer?.status === 200) acknowledged.set(path, n)
        }
      })
      // An observable event: enough has been acknowledged that a kill falls between commits.
      while (acknowledged.size < 20) await new Promise((done) => setImmediate(done))
      await server.kill('SIGKILL')
      writing = false
      await Promise.all(writers)
      await server.start()
      await unseal(server)
      for (const [path, n] of acknowledged) {
        const answer = await server.request('GET', path)
        expect(answer.status, path).toBe(200)
        // A later write may have been committed and not answered; an earlier one may not be back.
        expect(answer.json.data.data.n, path).toBeGreaterThanOrEqual(n)
      }
    }
  })

  it('numbers keep their text from the request to the answer', async () => {
    await server.request('POST', 'secret/data/numbers', '{"data":{"big":12345678901234567890,"one":1.0,"e":1e2}}')
    expect((await server.request('GET', 'secret/data/numbers')).text).toContain(
      '"big":12345678901234567890,"one":1.0,"e":1e2',
    )
  })

  it('puts no secret, token or key into storage, audit or logs', async () => {
    await server.request('POST', 'secret/data/canary', { data: { password: canary } })
    expect((await server.request('GET', 'secret/data/canary')).json.data.data.password).toBe(canary)
    await server.request('POST', 'secret/data/canary', `{"data":{"password":"${canary}"`)
    await server.request('POST', 'secret/data/canary', { data: { a: '1' }, options: { cas: canary } })
    await server.request('POST', 'auth/token/create', { ttl: canary })
    await server.request('GET', 'secret/data/canary', undefined, `hvs.${canary}`)
    await server.kill('SIGTERM')
    const places = [...everythingBelow(server.dir), { path: 'output', text: server.output() }]
    for (const secret of [canary, server.rootToken, ...server.unsealKeys]) {
      expect(
        places.filter((place) => place.text.includes(secret)).map((place) => place.path),
        secret.slice(0, 6),
      ).toEqual([])
    }
    expect(readFileSync(join(server.dir, 'audit/audit.log'), 'utf8')).toContain('secret/data/canary')
    await server.start()
    await unseal(server)
  })

  it('a revoked token and a changed policy count on the next request', async () => {
    await server.request('PUT', 'sys/policies/acl/reader', {
      policy: 'path "secret/data/*" { capabilities = ["read"] }',
    })
    const child = (await server.request('POST', 'auth/token/create', { policies: ['reader'] })).json.auth.client_token
    expect((await server.request('GET', 'secret/data/kept', undefined, child)).status).toBe(200)
    await server.request('PUT', 'sys/policies/acl/reader', {
      policy: 'path "secret/data/other" { capabilities = ["read"] }',
    })
    expect((await server.request('GET', 'secret/data/kept', undefined, child)).status).toBe(403)
    await server.request('PUT', 'sys/policies/acl/reader', {
      policy: 'path "secret/data/*" { capabilities = ["read"] }',
    })
    await server.request('POST', 'auth/token/revoke', { token: child })
    expect((await server.request('GET', 'secret/data/kept', undefined, child)).status).toBe(403)
  })

  it('refuses an audit file that is no regular file, and goes on without it', async () => {
    const enable = await server.request('PUT', 'sys/audit/full', { type: 'file', options: { file_path: '/dev/full' } })
    expect(enable.status).toBe(400)
    expect(enable.json.errors).toEqual(['file_path is not a regular file'])
    expect((await server.request('GET', 'sys/audit')).json.data).not.toHaveProperty('full/')
    expect((await server.request('GET', 'sys/mounts')).status).toBe(200)
  })
})

describe('a damaged storage file', () => {
  it.each([
    ['cut by a page', (file: string) => truncateSync(file, Math.max(0, readFileSync(file).length - 4096))],
    ['overwritten', (file: string) => writeFileSync(file, Buffer.alloc(readFileSync(file).length, 0x5a))],
  ])('%s is refused and named, and nothing is served', async (_name, damage) => {
    const server = await startServer()
    try {
      await server.request('POST', 'sys/mounts/secret', { type: 'kv', options: { version: '2' } })
      for (let n = 0; n < 50; n += 1)
        await server.request('POST', `secret/data/k${n}`, { data: { v: 'x'.repeat(2000) } })
      await server.kill('SIGKILL')
      damage(join(server.dir, 'data/coffer.mdb'))
      const outcome = await server.start().then(
        () => 'started',
        (error: Error) => error.message,
      )
      if (outcome === 'started') {
        // Serving is allowed only when nothing is missing.
        await unseal(server)
        for (let n = 0; n < 50; n += 1) expect((await server.request('GET', `secret/data/k${n}`)).status).toBe(200)
      } else expect(outcome).toContain('coffer.mdb')
    } finally {
      await server.close()
    }
  })
})
