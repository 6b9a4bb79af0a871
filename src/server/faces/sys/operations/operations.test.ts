import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FakeClock } from '../../../../lib/fake-clock.ts'
import { systemRandom } from '../../../../lib/random.ts'
import { engines, outbound, plugins } from '../../../../programs/engines.ts'
import { type Core, createCore } from '../../../../programs/server/core.ts'
import { startDev } from '../../../../programs/server/node/dev-mode.ts'
import { ServerLog } from '../../../../programs/server/node/logger.ts'
import { type NodeOperations, nodeOperations } from '../../../../programs/server/node/operations.ts'
import { inject } from '../../../http/handler.ts'
import { vaultTtl } from '../../../mounts/mount-json.ts'
import { openMemory } from '../../../storage/memory/memory.ts'

let clock: FakeClock
let core: Core
let operations: NodeOperations
let logs: ServerLog
let written: string[]
let reloaded: string[]

beforeEach(async () => {
  clock = new FakeClock()
  written = []
  reloaded = []
  logs = new ServerLog({ level: 'info', format: 'coffer', name: 'server', clock, write: (line) => written.push(line) })
  operations = nodeOperations({
    clock,
    logs,
    plugins,
    configuredHeader: (name) => name === 'X-Configured',
    serverState: {
      sanitized: () => ({ log_level: 'info' }),
      reloads: {
        tls: async () => void reloaded.push('tls'),
        audit: async () => {
          throw new Error('the disk is away: canary')
        },
      },
    },
  })
  core = createCore({
    backend: openMemory({ clock, random: systemRandom }),
    types: engines,
    auditDevices: {},
    outbound: outbound({ allow: [] }),
    ttl: vaultTtl,
    clock,
    random: systemRandom,
    log: logs.logger,
    version: '2.6.0',
    cofferVersion: '0.1.0',
    node: 'test',
    operations,
  })
  await startDev(core, { rootToken: 'root', host: '', port: 0, storeToken: false })
})
afterEach(() => core.close(0))

async function send(method: string, path: string, body?: unknown, token = 'root', headers = {}) {
  const answer = await inject(core.handler, {
    method,
    path: `/v1/${path}`,
    headers: { ...(token === '' ? {} : { 'X-Vault-Token': token }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = answer.body
  return { ...answer, text, json: text.startsWith('{') ? JSON.parse(text) : undefined }
}

async function tokenWith(policy: string): Promise<string> {
  await send('PUT', 'sys/policies/acl/p', { policy })
  return (await send('POST', 'auth/token/create', { policies: ['p'] })).json.auth.client_token
}

describe('sys/metrics', () => {
  it('counts the requests of each mount, in both formats, and never a path below it', async () => {
    await send('POST', 'secret/data/canary-path', { data: { a: 'canary-value' } })
    await send('GET', 'secret/data/canary-path')
    const { headers, text } = await send('GET', 'sys/metrics?format=prometheus')
    expect(headers['Content-Type']).toBe('text/plain; version=0.0.4; charset=utf-8')
    expect(text).toMatch(/^vault_route_read_secret__count 1$/m)
    expect(text).toMatch(/^vault_route_update_secret__count 1$/m)
    expect(Number(/^vault_core_handle_request_count (\d+)$/m.exec(text)?.[1])).toBeGreaterThanOrEqual(2)
    expect(text).toMatch(/^vault_core_in_flight_requests 1$/m)
    expect(text).toMatch(/^vault_core_unsealed 1$/m)
    expect(text).not.toContain('canary')
    const json = (await send('GET', 'sys/metrics')).json
    expect(Object.keys(json)).toEqual(['Timestamp', 'Gauges', 'Points', 'Counters', 'Samples'])
    expect(json.Samples.map((sample: { Name: string }) => sample.Name)).toContain('vault.route.read.secret-')
  })

  it('is Prometheus’ text for who asks as Prometheus does; other formats and tokens are refused', async () => {
    const scraped = await send('GET', 'sys/metrics', undefined, 'root', { Accept: 'text/plain;version=0.0.4' })
    expect(scraped.text).toMatch(/^# HELP /)
    expect((await send('GET', 'sys/metrics?format=xml')).status).toBe(400)
    expect((await send('GET', 'sys/metrics', undefined, await tokenWith('path "a" {}'))).status).toBe(403)
  })
})

describe('sys/in-flight-req', () => {
  it('shows the very request that asks', async () => {
    const { json } = await send('GET', 'sys/in-flight-req')
    expect(Object.values(json)).toEqual([
      {
        start_time: new Date(clock.now()).toISOString(),
        client_remote_address: '127.0.0.1:1',
        request_path: '/v1/sys/in-flight-req',
        request_method: 'GET',
        client_id: '0DHqvq2D77kL2/JTPSZkTMJbkFVmUu0TzMi0jiXcFy8=',
      },
    ])
    expect(operations.requests.size).toBe(0)
  })
})

describe('sys/loggers', () => {
  it('reads, sets and resets levels, of one and of all', async () => {
    logs.logger.with({ logger: 'audit' })
    expect((await send('GET', 'sys/loggers')).json.data).toEqual({ server: 'info', 'server.audit': 'info' })
    expect((await send('POST', 'sys/loggers/server.audit', { level: 'trace' })).status).toBe(204)
    expect((await send('GET', 'sys/loggers/server.audit')).json.data).toEqual({ 'server.audit': 'debug' })
    expect((await send('POST', 'sys/loggers', { level: 'ERROR' })).status).toBe(204)
    expect((await send('GET', 'sys/loggers')).json.data).toEqual({ server: 'error', 'server.audit': 'error' })
    expect((await send('DELETE', 'sys/loggers/server')).status).toBe(204)
    expect((await send('DELETE', 'sys/loggers')).status).toBe(204)
    expect((await send('GET', 'sys/loggers')).json.data).toEqual({ server: 'info', 'server.audit': 'info' })
    expect((await send('GET', 'sys/loggers/none')).json.data).toEqual({})
  })

  it.each([
    ['sys/loggers', {}, 'level is required'],
    ['sys/loggers', { level: '' }, 'level is empty'],
    ['sys/loggers', { level: 'loud' }, 'invalid level provided: unknown log level: loud'],
    ['sys/loggers/none', { level: 'info' }, 'logger "none" not found'],
  ])('%s %j is refused', async (path, body, error) => {
    expect((await send('POST', path, body)).json).toEqual({ errors: [error] })
  })
})

describe('sys/monitor', () => {
  const follow = async (query: string, token = 'root', onGone?: (listener: () => void) => void) => {
    const answer = await core.handler({
      method: 'GET',
      target: `/v1/sys/monitor${query}`,
      rawHeaders: ['X-Vault-Token', token],
      remote: { address: '127.0.0.1', port: 1 },
      ...(onGone ? { onGone } : {}),
    })
    if (typeof answer.body === 'string' || answer.body instanceof Uint8Array) throw new Error(String(answer.body))
    const lines = answer.body[Symbol.asyncIterator]()
    const next = async () => {
      const { value, done } = await lines.next()
      return done ? 'end' : Buffer.from(value).toString()
    }
    expect(await next()).toBe('')
    return next
  }

  it('streams lines of its level, whatever the log itself shows, until the client goes', async () => {
    let gone = () => {}
    const next = await follow('?log_level=debug', 'root', (listener) => (gone = listener))
    logs.logger.debug('one', { path: 'x' })
    expect(await next()).toMatch(/^\S+Z \[DEBUG\] server: one: path=x\n$/)
    expect(written.join('')).not.toContain('one')
    const end = next()
    gone()
    expect(await end).toBe('end')
  })

  it('may be JSON, and leaves lower levels out', async () => {
    const next = await follow('?log_level=warn&log_format=json')
    logs.logger.info('quiet')
    logs.logger.error('loud')
    const line = JSON.parse(await next())
    expect(line).toMatchObject({ '@level': 'error', '@message': 'loud', '@module': 'server' })
  })

  it('ends when its token does, within a second', async () => {
    const token = await tokenWith('path "sys/monitor" { capabilities = ["read"] }')
    const next = await follow('', token)
    const end = next()
    await clock.advance(1000)
    await send('POST', 'auth/token/revoke', { token })
    await clock.advance(1000)
    expect(await end).toBe('end')
  })

  it('tells a slow client what it missed, and keeps no more than 512 lines for it', async () => {
    const next = await follow('')
    for (let i = 0; i < 600; i += 1) logs.logger.info(`line ${i}`)
    const text = await next()
    expect(text.split('\n')).toHaveLength(514)
    expect(text).toContain('Monitor dropped 88 logs during monitor request\n')
  })

  it.each([
    ['?log_level=loud', 'unknown log level'],
    ['?log_format=xml', 'unknown log format'],
  ])('%s is refused', async (query, error) => {
    expect((await send('GET', `sys/monitor${query}`)).json).toEqual({ errors: [error] })
  })
})

describe('the configuration', () => {
  it('is shown, and its parts are read again by name', async () => {
    expect((await send('GET', 'sys/config/state/sanitized')).json.data).toEqual({ log_level: 'info' })
    expect((await send('POST', 'sys/config/reload/tls')).status).toBe(204)
    expect(reloaded).toEqual(['tls'])
    expect((await send('POST', 'sys/config/reload/license')).json.errors).toEqual([
      'nothing called "license" can be reloaded; accepted are tls, audit',
    ])
    const failed = await send('POST', 'sys/config/reload/audit')
    expect([failed.status, failed.text.includes('canary')]).toEqual([500, false])
  })

  it('of CORS is read by listeners at once, and off when it is deleted', async () => {
    expect(core.cors).toBeUndefined()
    const body = { allowed_origins: 'https://a.example, https://b.example', allowed_headers: 'X-Mine' }
    expect((await send('PUT', 'sys/config/cors', body)).status).toBe(204)
    expect(core.cors?.origins).toEqual(['https://a.example', 'https://b.example'])
    const { json } = await send('GET', 'sys/config/cors')
    expect(json).toMatchObject({ enabled: true, allow_credentials: false, data: { enabled: true } })
    expect(json.allowed_headers.slice(-2)).toEqual(['X-Vault-Namespace', 'X-Mine'])
    expect((await send('DELETE', 'sys/config/cors')).status).toBe(204)
    expect([core.cors, (await send('GET', 'sys/config/cors')).json.data]).toEqual([undefined, { enabled: false }])
  })

  it.each([
    [{}, 'at least one origin or the wildcard must be provided'],
    [
      { allowed_origins: ['*', 'https://a'] },
      "to allow all origins the '*' must be the only value for allowed_origins",
    ],
    [{ allowed_origins: '*', allowed_headers: 'a b' }, '"a b" is not the name of a header'],
  ])('of CORS %j is refused', async (body, error) => {
    expect((await send('POST', 'sys/config/cors', body)).json).toEqual({ errors: [error] })
  })

  it('of CORS needs sudo', async () => {
    const token = await tokenWith('path "sys/config/*" { capabilities = ["read", "update"] }')
    expect((await send('GET', 'sys/config/cors', undefined, token)).status).toBe(403)
  })

  it('of the console’s headers is kept by canonical name', async () => {
    const csp = await send('PUT', 'sys/config/ui/headers/content-security-policy', { values: ["default-src 'self'"] })
    expect(csp.json.warnings[0]).toMatch(/^overriding default Content-Security-Policy/)
    await send('POST', 'sys/config/ui/headers/X-Two', { values: ['a', 'b'] })
    expect((await send('LIST', 'sys/config/ui/headers')).json.data.keys).toEqual(['Content-Security-Policy', 'X-Two'])
    expect((await send('GET', 'sys/config/ui/headers/x-two')).json.data).toEqual({ value: 'a' })
    expect((await send('GET', 'sys/config/ui/headers/X-TWO?multivalue=true')).json.data).toEqual({ values: ['a', 'b'] })
    expect((await send('DELETE', 'sys/config/ui/headers/X-Two')).status).toBe(204)
    expect((await send('GET', 'sys/config/ui/headers/X-Two')).status).toBe(404)
    await send('DELETE', 'sys/config/ui/headers/content-security-policy')
    expect((await send('LIST', 'sys/config/ui/headers')).status).toBe(404)
  })

  it.each([
    ['X-A', {}, 'header and values must be specified'],
    ['x-vault-token', { values: ['a'] }, 'X-Vault headers cannot be set'],
    ['X-Configured', { values: ['a'] }, 'This header already exists in the server configuration'],
    ['X%28A', { values: ['a'] }, '"X(A" is not the name of a header'],
    ['X-A', { values: ['a\r\nX-B: b'] }, 'the value of X-A must be printable ASCII'],
  ])('of the console’s header %s %j is refused', async (name, body, error) => {
    const { status, json } = await send('POST', `sys/config/ui/headers/${name}`, body)
    expect([status, json.errors[0]]).toEqual([400, expect.stringContaining(error)])
  })
})

describe('what the server is made of', () => {
  it('is in the catalog, which cannot be written', async () => {
    const { json } = await send('GET', 'sys/plugins/catalog')
    expect(json.data.secret).toContain('kv')
    expect(json.data.auth).toContain('kubernetes')
    expect(json.data.database).toEqual([])
    expect(json.data.detailed[0]).toMatchObject({ type: 'auth', builtin: true, deprecation_status: 'supported' })
    expect((await send('LIST', 'sys/plugins/catalog/secret')).json.data.keys).toEqual(json.data.secret)
    expect((await send('LIST', 'sys/plugins/catalog/nope')).status).toBe(400)
    expect((await send('GET', 'sys/plugins/catalog/secret/kv')).json.data).toMatchObject({ name: 'kv', builtin: true })
    expect((await send('GET', 'sys/plugins/catalog/secret/none')).status).toBe(404)
    const written = await send('PUT', 'sys/plugins/catalog/secret/mine', { sha256: 'aa', command: 'mine' })
    expect(written.json.errors[0]).toMatch(/^plugins cannot be registered/)
    expect((await send('GET', 'sys/plugins/pins')).json.data).toEqual({ pinned_versions: [] })
  })

  it('is made anew mount by mount, and keeps what it stored', async () => {
    await send('POST', 'secret/data/a', { data: { k: 'v' } })
    const reload = await send('POST', 'sys/plugins/reload/backend', { mounts: 'secret' })
    expect(reload.json.data.reload_id).toBe(reload.json.request_id)
    expect((await send('GET', 'secret/data/a')).json.data.data).toEqual({ k: 'v' })
    expect((await send('POST', 'sys/plugins/reload/backend', { plugin: 'kv' })).status).toBe(200)
    for (const body of [{}, { plugin: 'kv', mounts: 'secret/' }, { mounts: 'nope/' }, { mounts: 'sys/' }]) {
      expect((await send('POST', 'sys/plugins/reload/backend', body)).status).toBe(400)
    }
  })

  it('has a history of versions', async () => {
    const { json } = await send('LIST', 'sys/version-history')
    expect(json.data.keys).toEqual(['2.6.0'])
    expect(json.data.key_info['2.6.0']).toMatchObject({ previous_version: null, coffer_version: '0.1.0' })
  })

  it('has no replication, and says so to everyone', async () => {
    expect((await send('GET', 'sys/replication/status', undefined, '')).json.data).toEqual({
      dr: { mode: 'disabled' },
      performance: { mode: 'disabled' },
    })
    expect((await send('GET', 'sys/replication/dr/status', undefined, '')).json.data).toEqual({ mode: 'disabled' })
  })

  it('runs on a machine', async () => {
    const { data } = (await send('GET', 'sys/host-info')).json
    expect(data.cpu.length).toBe(data.cpu_times.length)
    expect(data.memory.total).toBeGreaterThan(1e6)
    expect(data.disk[0].total).toBeGreaterThan(data.disk[0].free)
    expect(data.host.hostname).not.toBe('')
  })
})

describe('sys/tools', () => {
  it.each([
    ['sys/tools/random', {}, 32],
    ['sys/tools/random', { bytes: 7 }, 7],
    ['sys/tools/random/16', {}, 16],
    ['sys/tools/random/seal', { bytes: '5' }, 5],
    ['sys/tools/random/all/131072', {}, 131_072],
  ])('%s %j gives bytes', async (path, body, count) => {
    const { json } = await send('POST', path, body)
    expect(Buffer.from(json.data.random_bytes, 'base64')).toHaveLength(count)
    expect(json.warnings?.[0] ?? '').toMatch(path.includes('seal') ? /platform entropy source/ : /^$/)
  })

  it.each([
    ['sys/tools/random/0', {}, "'bytes' cannot be less than 1"],
    ['sys/tools/random', { bytes: 131_073 }, "'bytes' should be less than 131072"],
    ['sys/tools/random', { bytes: 'x' }, 'error converting input for field "bytes"'],
    ['sys/tools/random/x', {}, 'error parsing url-set byte count: strconv.Atoi: parsing "x": invalid syntax'],
    ['sys/tools/random/x/3', {}, 'unsupported entropy source "x"; must be "platform" or "seal", or "all"'],
    ['sys/tools/random', { format: 'utf8' }, 'unsupported encoding format "utf8"; must be "hex" or "base64"'],
    ['sys/tools/hash', { input: 'aGVsbG8', format: 'hex' }, 'illegal base64 data at input byte 4'],
    ['sys/tools/hash', { input: 'aG!sbG8=' }, 'illegal base64 data at input byte 2'],
    ['sys/tools/hash', { input: '', format: 'x' }, 'unsupported encoding format x; must be "hex" or "base64"'],
    ['sys/tools/hash/md5', { input: '' }, 'unsupported algorithm md5'],
    ['sys/tools/hash/constructor', { input: '' }, 'unsupported algorithm constructor'],
  ])('%s %j is refused', async (path, body, error) => {
    const { status, json } = await send('POST', path, body)
    expect([status, json.errors[0]]).toEqual([400, expect.stringContaining(error)])
  })

  it.each([
    ['sha2-224', 'ea09ae9cc6768c50fcee903ed054556e5bfc8347907f12598aa24193'],
    ['sha2-256', '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824'],
    ['sha3-256', '3338be694f50c5f338814986cdf0686453a888b84f424d792af4b9202398f392'],
  ])('hashes "hello" with %s', async (algorithm, sum) => {
    const body = { input: 'aGVs\nbG8=', algorithm }
    expect((await send('POST', 'sys/tools/hash', body)).json.data).toEqual({ sum })
    const other = await send('POST', `sys/tools/hash/${algorithm}`, { ...body, algorithm: 'x', format: 'base64' })
    expect(other.json.data.sum).toBe(Buffer.from(sum, 'hex').toString('base64'))
  })
})
