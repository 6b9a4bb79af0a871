import { afterEach, describe, expect, it } from 'vitest'
import { parseHcl } from '../../../lib/hcl/parse.ts'
import { silentLog } from '../../../lib/log.ts'
import { systemRandom } from '../../../lib/random.ts'
import { SealServer } from '../../../server/faces/sys/seal/test-seal-server.ts'
import { staticSeal } from '../../../server/seal/static/static.ts'
import { crashing } from '../../../server/storage/test-crashing.ts'
import { startSeal } from './first-start.ts'
import { readInitialize } from './initialize-stanza.ts'

const servers: SealServer[] = []
const track = (server: SealServer) => {
  servers.push(server)
  return server
}
afterEach(async () => {
  for (const each of servers.splice(0)) await each.close()
})

const seals = () => ({
  current: staticSeal({ current: { id: 'k', key: Buffer.alloc(32, 1) }, random: systemRandom }),
})
const lines: string[] = []
const keep = (...line: unknown[]) => void lines.push(JSON.stringify(line))
const log = { ...silentLog, debug: keep, info: keep, warn: keep, error: keep }

const two = `
  initialize "rules" {
    request "admin" { operation = "update" path = "sys/policies/acl/admin" data = { policy = { eval_source = "env" eval_type = "string" env_var = "RULE" } } }
    request "token" { operation = "update" path = "auth/token/create" data = { policies = ["admin"] no_parent = true ttl = "1h" } }
    request "copy" {
      operation = "update"
      path = "sys/policies/acl/copy"
      data = { policy = { eval_source = "request" eval_type = "string" initialize_name = "rules" request_name = "admin" field_selector = ["data", "policy"] } }
    }
  }`
const rule = 'path "sys/policies/acl/*" { capabilities = ["read", "list"] }'

const alive = new AbortController().signal
const start = (
  server: SealServer,
  text: string,
  env: Record<string, string> = { RULE: rule },
  node = 'one',
  signal = alive,
) =>
  startSeal({
    seal: server.core.seal,
    handler: server.core.handler,
    requests: readInitialize(parseHcl(text)),
    env,
    node,
    clock: server.clock,
    log,
    signal,
  })

/** What is there, asked with a root token that this test makes for itself. */
async function policies(server: SealServer) {
  server.root = await server.core.seal.newRoot()
  const read = async (name: string) => (await server.call('GET', `sys/policies/acl/${name}`)).body.data?.policy
  return [await read('admin'), await read('copy')]
}
const accessors = async (server: SealServer) =>
  (await server.call('GET', 'auth/token/accessors?list=true')).body.data?.keys.length

describe('the first start', () => {
  it('initialises, does what the stanzas say, and leaves no root token', async () => {
    const server = track(new SealServer({ seals: seals() }))
    await start(server, two)
    expect(await server.sealed()).toBe(false)
    expect(await policies(server)).toEqual([rule, rule])
    // The one that a request made and the one that asks here.
    expect(await accessors(server)).toBe(2)
    expect(lines.join('\n')).not.toMatch(/hvs\./)
  })

  it('waits for a seal that is away right after it was initialised', async () => {
    let away = true
    const { current: own } = seals()
    const unwrap: typeof own.unwrap = async (blob, id) => {
      if (away) throw new Error('connection refused')
      return own.unwrap(blob, id)
    }
    const server = track(new SealServer({ seals: { current: { ...own, unwrap } } }))
    const starting = start(server, two)
    await server.clock.advance(5000)
    expect(await server.sealed()).toBe(true)
    away = false
    await server.clock.advance(20_000)
    await starting
    expect(await policies(server)).toEqual([rule, rule])
  })

  it('waits for a seal that is away before it is initialised, and tries ever more seldom', async () => {
    let attempts = 0
    let away = true
    const { current: own } = seals()
    const wrap: typeof own.wrap = async (key) => {
      attempts += 1
      if (away) throw new Error('the PIN is wrong')
      return own.wrap(key)
    }
    const server = track(new SealServer({ seals: { current: { ...own, wrap } } }))
    lines.length = 0
    const starting = start(server, two)
    await server.clock.advance(60_000)
    expect(attempts).toBeGreaterThan(4)
    expect(attempts).toBeLessThan(9)
    expect(lines.join()).toMatch(/not initialised yet, will be tried again.*the PIN is wrong/)
    away = false
    await server.clock.advance(60_000)
    await starting
    expect(await policies(server)).toEqual([rule, rule])
  })

  it('ends with the server that waits for its seal', async () => {
    const { current: own } = seals()
    const wrap = async () => Promise.reject(new Error('away'))
    const server = track(new SealServer({ seals: { current: { ...own, wrap } } }))
    const stop = new AbortController()
    const starting = start(server, two, undefined, 'one', stop.signal)
    await server.clock.advance(5000)
    stop.abort(new Error('SIGTERM'))
    await expect(starting).rejects.toThrow('SIGTERM')
    expect((await server.call('GET', 'sys/init', undefined, '')).body).toEqual({ initialized: false })
  })

  it('happens once', async () => {
    const server = track(new SealServer({ seals: seals() }))
    await start(server, two)
    const next = track(server.another(seals()))
    await start(next, two, { RULE: 'path "other" { capabilities = ["read"] }' })
    expect(await next.sealed()).toBe(false)
    expect(await policies(next)).toEqual([rule, rule])
  })

  it('of several nodes at once is done by one, and each of them starts', async () => {
    const first = track(new SealServer({ seals: seals() }))
    const others = ['two', 'three'].map((node) => ({ node, server: track(first.another(seals())) }))
    const before = lines.length
    const all = Promise.all([
      start(first, two),
      ...others.map(({ node, server }) => start(server, two, { RULE: rule }, node)),
    ])
    for (let i = 0; i < 10; i += 1) await first.clock.advance(1000)
    await all
    for (const server of [first, ...others.map((other) => other.server)]) {
      expect(server.core.seal.sealed).toBe(false)
    }
    expect(lines.slice(before).filter((line) => line.includes('first start: done'))).toHaveLength(1)
    expect(await policies(first)).toEqual([rule, rule])
    expect(await accessors(first)).toBe(2)
    const rows = await first.backend.list('core/first-start', { depth: 'all', limit: 10 })
    expect(rows).toEqual([])
  })

  it('is taken over a minute after its node was last heard of', async () => {
    const first = track(new SealServer({ seals: seals() }))
    const dying = track(first.another(seals(), crashing(first.backend, 14, 'after')))
    await expect(start(dying, two, { RULE: rule }, 'dead')).rejects.toThrow()
    expect(await first.backend.read([{ key: 'core/first-start-node' }])).not.toEqual([undefined])
    const next = track(first.another(seals()))
    let done = false
    const starting = start(next, two).then(() => (done = true))
    await first.clock.advance(50_000)
    expect(done).toBe(false)
    await first.clock.advance(15_000)
    await starting
    expect(await policies(next)).toEqual([rule, rule])
  })

  it('needs a seal that unseals without people, and does nothing without stanzas', async () => {
    await expect(start(track(new SealServer()), two)).rejects.toThrow('initialize needs a seal')
    const server = track(new SealServer({ seals: seals() }))
    await start(server, '')
    expect((await server.call('GET', 'sys/init', undefined, '')).body).toEqual({ initialized: false })
  })

  it.each([
    ['path = "sys/policies/acl/x" operation = "update" data = { policy = "path {" }', 'failed with 400'],
    ['path = "nowhere/x" operation = "read"', 'failed with 404'],
    ['path = "sys/mounts" operation = "sing"', 'operation "sing" is none of'],
    [
      'operation = "read" path = { eval_source = "env" eval_type = "string" env_var = "NO" require_present = true }',
      'the environment has no NO',
    ],
    ['operation = "read" path = { eval_source = "file" eval_type = "string" path = "/no/file" }', 'cannot be read'],
    ['operation = "read" path = { eval_source = "cel" eval_type = "string" }', 'eval_source "cel" is not supported'],
    ['operation = "read" path = { eval_source = "env" eval_type = "int" env_var = "RULE" }', 'is no int'],
  ])('names the request that failed: %s', async (request, why) => {
    const server = track(new SealServer({ seals: seals() }))
    const failing = start(server, `initialize "a" { request "bad" { ${request} } }`)
    await expect(failing).rejects.toThrow('initialize "a", request "bad"')
    await expect(failing).rejects.toThrow(why)
    // The mended configuration goes on from there.
    await start(track(server.another(seals())), two)
  })

  it('may let a request fail', async () => {
    const server = track(new SealServer({ seals: seals() }))
    await start(server, 'initialize "a" { request "x" { operation = "read" path = "nowhere/x" allow_failure = true } }')
    expect(await server.core.seal.firstStart.pending()).toBe(false)
  })

  it.each(['before', 'after'] as const)(
    'is gone on with when the process dies %s any of its commits',
    async (when) => {
      let deaths = 0
      for (let at = 0; ; at += 1) {
        const first = track(new SealServer({ seals: seals() }))
        const dying = track(first.another(seals(), crashing(first.backend, at, when)))
        // Who died waits for nothing any more.
        const died = await start(dying, two, undefined, 'one', AbortSignal.abort()).then(
          () => false,
          () => true,
        )
        const next = track(first.another(seals()))
        await start(next, two)
        expect(await next.sealed(), `commit ${at}`).toBe(false)
        expect(await policies(next), `commit ${at}`).toEqual([rule, rule])
        expect(await next.core.seal.firstStart.pending()).toBe(false)
        if (!died) break
        deaths += 1
      }
      expect(deaths).toBeGreaterThan(8)
    },
    60_000,
  )
})
