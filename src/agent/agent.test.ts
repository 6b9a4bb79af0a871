import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FakeClock } from '../lib/fake-clock.ts'
import { systemRandom } from '../lib/random.ts'
import { runAgent } from './agent.ts'
import { readConfig } from './config/read-config.ts'
import { AgentFailure } from './failure.ts'
import { FakeServer } from './fake-server.ts'
import { createLog } from './log.ts'

const root = mkdtempSync(join(tmpdir(), 'coffer-agent-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const defaultTemplate = (path: string) =>
  `{{ with secret "${path}" }}{{ range $k, $v := .Data }}{{ $k }}: {{ $v }}\n{{ end }}{{ end }}`

let count = 0
let folder = ''
let server: FakeServer
let clock: FakeClock
let lines: string[]
let commands: string[]
let running: { stop: AbortController; ended: Promise<unknown> }[]

beforeEach(() => {
  count += 1
  folder = join(root, String(count))
  mkdirSync(folder)
  writeFileSync(join(folder, 'jwt'), 'canary-jwt\n')
  server = new FakeServer()
  server.put('my-app/config', { username: 'u', password: 'canary-value' })
  clock = new FakeClock()
  lines = []
  commands = []
  running = []
})

afterEach(async () => {
  for (const { stop, ended } of running) {
    stop.abort(new Error('test ends'))
    await ended
  }
})

interface Overrides {
  exit?: boolean
  templates?: object[]
  templateConfig?: object
  method?: object
}

function start({ exit = false, templates, templateConfig, method }: Overrides = {}) {
  const config = readConfig(
    [
      {
        path: 'config.json',
        text: JSON.stringify({
          auto_auth: {
            method: {
              type: 'kubernetes',
              mount_path: 'auth/kubernetes',
              config: { role: 'my-app-role', token_path: join(folder, 'jwt') },
              ...method,
            },
            sink: [{ type: 'file', config: { path: join(folder, '.vault-token') } }],
          },
          exit_after_auth: exit,
          vault: { address: 'http://127.0.0.1:8200' },
          template: templates ?? [template({})],
          template_config: { exit_on_retry_failure: true, ...templateConfig },
        }),
      },
    ],
    {},
  )
  const stop = new AbortController()
  const log = createLog({ level: 'debug', format: 'standard', clock, write: (line) => lines.push(line) })
  const { transport, connect } = server
  const runCommand = async (command: string) => void commands.push(command)
  const result = runAgent(
    { config, env: { HOME: '/h' }, clock, random: systemRandom, log, transport, connect, runCommand },
    stop.signal,
  )
  const ended = result.then(
    () => 'done',
    (error: unknown) => error,
  )
  running.push({ stop, ended })
  return { stop, ended }
}

const file = () => join(folder, 'secrets', 'config')
const template = (more: object) => ({
  destination: file(),
  contents: defaultTemplate('secret/data/my-app/config'),
  left_delimiter: '{{',
  right_delimiter: '}}',
  ...more,
})
const logged = (text: string) => lines.filter((line) => line.includes(text))

/** Lets files and promises settle; time stands still meanwhile. */
async function until(what: () => boolean) {
  const deadline = performance.now() + 10_000
  while (!what()) {
    if (performance.now() > deadline) throw new Error(`never happened: ${what}\n${lines.join('')}`)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}
/** Time passes until it happens. */
async function pass<T>(ended: Promise<T>, stepMs: number): Promise<T> {
  let settled = false
  ended.then(() => {
    settled = true
  })
  const deadline = performance.now() + 10_000
  while (!settled && performance.now() < deadline) {
    await clock.advance(stepMs)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  return ended
}
const content = () => (existsSync(file()) ? readFileSync(file(), 'utf8') : '')
const expected = (password: string, version: number) =>
  `data: map[password:${password} username:u]\nmetadata: map[created_time:2026-01-02T03:04:05.678Z custom_metadata:<nil> deletion_time: destroyed:false version:${version}]\n`

describe('the agent', () => {
  it('renders the default template byte for byte and ends after it, as an init container', async () => {
    const { ended } = start({ exit: true })
    expect(await ended).toBe('done')
    expect(content()).toBe(expected('canary-value', 1))
    expect(readdirSync(join(folder, 'secrets'))).toEqual(['config'])
    expect(statSync(file()).mode & 0o777).toBe(0o644)
    expect(statSync(join(folder, 'secrets')).mode & 0o777).toBe(0o755)
    expect(readFileSync(join(folder, '.vault-token'), 'utf8')).toBe('hvs.canary-token-1')
    expect(statSync(join(folder, '.vault-token')).mode & 0o777).toBe(0o640)
    const login = server.asked('auth/kubernetes/login')[0]
    expect(JSON.parse(login?.body ?? '')).toEqual({ role: 'my-app-role', jwt: 'canary-jwt' })
  })

  it('logs the lines that people search for, and no value, token or service account token', async () => {
    await start({ exit: true }).ended
    const time = '2026-01-02T03:04:05.000Z'
    expect(lines).toContain(`${time} [INFO]  agent.auth.handler: authentication successful, sending token to sinks\n`)
    expect(lines).toContain(`${time} [INFO]  agent: (runner) rendered "(dynamic)" => "${file()}"\n`)
    expect(lines.join('')).not.toContain('canary')
  })

  it('finds the data of a KV version 2 mount when the path leaves data/ out, and passes the version on', async () => {
    const contents = '{{ with secret "secret/my-app/config?version=1" }}{{ .Data.data.password }}{{ end }}'
    await start({ exit: true, templates: [template({ contents })] }).ended
    expect(content()).toBe('canary-value')
    expect(server.asked('secret/').map((r) => r.path)).toEqual(['/v1/secret/data/my-app/config?version=1'])
  })

  it('writes a change within the time of a notice, without waiting for the interval', async () => {
    start()
    await until(() => content() === expected('canary-value', 1) && server.listeners === 1)
    server.put('my-app/config', { username: 'u', password: 'canary-2' })
    await until(() => content() === expected('canary-2', 2))
    server.put('other/secret', { x: '1' })
    const reads = server.asked('secret/data').length
    await clock.advance(1000)
    expect(server.asked('secret/data')).toHaveLength(reads)
  })

  it('reads again at the interval when the server tells of nothing', async () => {
    start({ templateConfig: { static_secret_render_interval: '1m' } })
    await until(() => content() !== '' && server.listeners === 1)
    server.secrets.set('my-app/config', { data: { username: 'u', password: 'quiet' }, version: 2 })
    await clock.advance(50_000)
    expect(content()).toBe(expected('canary-value', 1))
    await clock.advance(10_000)
    await until(() => content() === expected('quiet', 2))
  })

  it.each(['down', 'sealed'] as const)(
    'keeps files while the server is %s, says so once, and recovers',
    async (mode) => {
      start()
      await until(() => content() !== '' && server.listeners === 1)
      server.stop(mode)
      await until(() => logged('stale since').length > 0)
      for (let i = 0; i < 10; i++) await clock.advance(3000)
      expect(logged('stale since 2026-01-02T03:04:05Z')).toHaveLength(1)
      expect(content()).toBe(expected('canary-value', 1))
      server.mode = 'up'
      server.secrets.set('my-app/config', { data: { username: 'u', password: 'after' }, version: 2 })
      await clock.advance(5000)
      await until(() => content() === expected('after', 2))
      expect(logged('no longer stale')).toHaveLength(1)
      expect(logged('stale since')).toHaveLength(1)
    },
  )

  it('is no longer stale when the server answers again, even if it only says that the secret is gone', async () => {
    start()
    await until(() => content() !== '' && server.listeners === 1)
    server.stop()
    await until(() => logged('stale since').length > 0)
    server.secrets.clear()
    server.mode = 'up'
    for (let i = 0; i < 10; i++) await clock.advance(5000)
    await until(() => logged('no secret exists').length > 0)
    expect(logged('no longer stale')).toHaveLength(1)
    expect(content()).toBe(expected('canary-value', 1))
  })

  it('neither hurries nor says stale again and again while one of three paths fails', async () => {
    const names = ['a', 'b', 'c']
    for (const name of names) server.put(name, { x: name })
    const contents = names.map((n) => `{{ with secret "secret/data/${n}" }}{{ .Data.data.x }}{{ end }}`).join('')
    start({ templates: [template({ contents })] })
    await until(() => content() === 'abc' && server.listeners === 1)
    await until(() => server.asked('secret/data').length >= 6)
    server.broken.add('secret/data/c')
    server.put('c', { x: 'C' })
    await until(() => logged('stale since').length > 0)
    const before = server.requests.length
    for (let i = 0; i < 60; i++) {
      server.put(i % 2 === 0 ? 'a' : 'b', { x: String(i % 10) })
      await clock.advance(1000)
    }
    expect(logged('stale since')).toHaveLength(1)
    expect(server.requests.length - before).toBeLessThan(150)
    server.broken.clear()
    for (let i = 0; i < 3; i++) await clock.advance(5000)
    await until(() => content() === '89C')
    expect(logged('no longer stale')).toHaveLength(1)
  })

  it('tries again after at most five seconds while the server is away', async () => {
    start()
    await until(() => content() !== '' && server.listeners === 1)
    server.stop()
    await until(() => logged('stale since').length > 0)
    for (let i = 0; i < 20; i++) await clock.advance(3000)
    const before = server.asked('secret/data').length
    await clock.advance(5000)
    await until(() => server.asked('secret/data').length > before || server.asked('sys/internal').length > before)
  })

  it('keeps the file and lives on when access is taken away after the first rendering', async () => {
    start()
    await until(() => content() !== '' && server.listeners === 1)
    server.mode = 'denying'
    server.put('my-app/config', { username: 'u', password: 'hidden' })
    await until(() => logged('was refused: 403').length > 0)
    for (let i = 0; i < 30; i++) await clock.advance(60_000)
    expect(content()).toBe(expected('canary-value', 1))
    server.mode = 'up'
    await clock.advance(60_000)
    await until(() => content() === expected('hidden', 2))
  })

  it.each([
    ["Coffer's words", ['permission denied']],
    ["Vault's words", ['2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n']],
  ])('logs in again when the server no longer knows the token (%s)', async (_, words) => {
    server.badToken = words
    start()
    await until(() => content() !== '' && server.listeners === 1)
    server.validTokens.clear()
    server.put('my-app/config', { username: 'u', password: 'again' })
    await until(() => content() === expected('again', 2))
    expect(server.logins).toBe(2)
    await until(() => readFileSync(join(folder, '.vault-token'), 'utf8') === 'hvs.canary-token-2')
  })

  it('keeps a token that it may not renew until it nears its end, and does not log in over and over', async () => {
    server.renewalDenied = true
    start()
    await until(() => content() !== '' && server.listeners === 1)
    await until(() => logged('error renewing token').length > 0 || server.logins > 1)
    for (let i = 0; i < 20; i++) await clock.advance(100_000)
    expect(server.logins).toBe(1)
    for (let i = 0; i < 20; i++) await clock.advance(100_000)
    await until(() => server.logins === 2)
  })

  it('keeps a lease that it may not renew and makes no credentials over and over', async () => {
    const lease = { lease_id: 'database/creds/app/1', renewable: true, lease_duration: 600 }
    server.leased.set('database/creds/app', { data: { username: 'first' }, lease })
    server.renewalDenied = true
    const contents = '{{ with secret "database/creds/app" }}{{ .Data.username }}{{ end }}'
    start({ templates: [template({ contents })] })
    await until(() => content() === 'first')
    for (let i = 0; i < 4; i++) await clock.advance(100_000)
    expect(server.asked('database/creds/app')).toHaveLength(1)
  })

  it('pauses between logins when tokens end as soon as they come', async () => {
    server.tokenTtl = 0
    start()
    await until(() => content() !== '' && server.logins > 1)
    for (let i = 0; i < 300; i++) await new Promise((resolve) => setImmediate(resolve))
    expect(server.logins).toBeLessThan(4)
  })

  it('renews the token at once and then before it ends', async () => {
    start()
    await until(() => server.asked('auth/token/renew-self').length === 1)
    await clock.advance(1000)
    expect(server.asked('auth/token/renew-self')).toHaveLength(1)
    for (let i = 0; i < 30; i++) await clock.advance(100_000)
    expect(server.asked('auth/token/renew-self').length).toBeGreaterThan(1)
    expect(server.logins).toBe(1)
  })

  it('fails an init container after three refusals, naming role, policies and path', async () => {
    server.mode = 'denying'
    const { ended } = start({ exit: true })
    await until(() => logged('retry attempt 1').length > 0)
    const error = await pass(ended, 1000)
    expect(error).toBeInstanceOf(AgentFailure)
    expect(String(error)).toContain(
      'reading secret/data/my-app/config as role "my-app-role" (policies default, my-app) was refused: 403',
    )
    expect(server.asked('secret/data')).toHaveLength(3)
    expect(existsSync(file())).toBe(false)
  })

  it('fails an init container whose secret does not exist', async () => {
    server.secrets.clear()
    const { ended } = start({ exit: true })
    await until(() => logged('retry attempt 1').length > 0)
    expect(String(await pass(ended, 1000))).toContain('no secret exists at secret/data/my-app/config')
  })

  it('fails an init container whose login is refused, naming the role and the mount', async () => {
    server.loginStatus = 400
    const { ended } = start({ exit: true })
    await until(() => logged('error authenticating').length > 0)
    expect(String(await pass(ended, 1000))).toContain(
      'login as role "my-app-role" at auth/kubernetes/login was refused: 400',
    )
  })

  it('waits for a server that is not there yet', async () => {
    server.mode = 'down'
    const { ended } = start({ exit: true })
    await until(() => logged('error authenticating').length > 0)
    for (let i = 0; i < 5; i++) await clock.advance(10_000)
    expect(lines.join('')).not.toContain('stale')
    server.mode = 'up'
    expect(await pass(ended, 10_000)).toBe('done')
  })

  it('gives up after twelve further tries, about five minutes, and not before', async () => {
    server.secrets.clear()
    const { ended } = start()
    await until(() => logged('retry attempt 1 after "250ms"').length > 0)
    const before = clock.monotonic()
    const error = await pass(ended, 10_000)
    expect(clock.monotonic() - before).toBeGreaterThanOrEqual(303_000)
    expect(error).toBeInstanceOf(AgentFailure)
    expect(server.asked('secret/data')).toHaveLength(13)
  })

  it('reads the service account token again at each login', async () => {
    server.loginStatus = 403
    const { stop } = start()
    await until(() => logged('error authenticating').length > 0)
    writeFileSync(join(folder, 'jwt'), 'rotated')
    server.loginStatus = 200
    await clock.advance(2000)
    await until(() => content() !== '')
    expect(JSON.parse(server.asked('auth/kubernetes/login').at(-1)?.body ?? '')).toEqual({
      role: 'my-app-role',
      jwt: 'rotated',
    })
    stop.abort(new Error('SIGTERM'))
  })

  it('ends when it is told to, at any moment', async () => {
    server.mode = 'down'
    const { stop, ended } = start()
    await until(() => logged('error authenticating').length > 0)
    stop.abort(new Error('SIGTERM'))
    expect(await ended).toBe('done')
  })

  it('refuses to start when the token cannot be written', async () => {
    rmSync(join(folder, '.vault-token'), { force: true })
    mkdirSync(join(folder, '.vault-token'))
    expect(String(await start().ended)).toContain(
      `the token cannot be written to ${join(folder, '.vault-token')}: EISDIR`,
    )
    expect(server.requests).toEqual([])
  })

  it('leaves a file alone whose bytes are right, and keeps the mode of one it replaces', async () => {
    mkdirSync(join(folder, 'secrets'))
    writeFileSync(file(), expected('canary-value', 1))
    chmodSync(file(), 0o600)
    const { ino } = statSync(file())
    start({ templates: [template({ command: 'reload' })] })
    await until(() => server.listeners === 1)
    await until(() => server.asked('secret/data').length >= 2)
    expect(statSync(file()).ino).toBe(ino)
    expect(commands).toEqual([])
    server.put('my-app/config', { username: 'u', password: 'canary-2' })
    await until(() => content() === expected('canary-2', 2))
    expect(statSync(file()).mode & 0o777).toBe(0o600)
    await until(() => commands.length === 1)
    expect(commands).toEqual(['reload'])
  })

  it('leaves no timer behind when it ends while a file cannot be written', async () => {
    writeFileSync(join(folder, 'secrets'), 'a file where the folder should be')
    let timers = 0
    const after = clock.after.bind(clock)
    clock.after = (ms, fn) => {
      timers += 1
      const done = () => {
        timers -= 1
      }
      const cancel = after(ms, () => {
        done()
        fn()
      })
      let cancelled = false
      return () => {
        if (!cancelled) done()
        cancelled = true
        cancel()
      }
    }
    const { stop, ended } = start({ templateConfig: { exit_on_retry_failure: false } })
    await until(() => logged('cannot write').length > 0 && server.listeners === 1)
    stop.abort(new Error('SIGTERM'))
    await ended
    expect(timers).toBe(0)
  })

  it('sets the permissions that were asked for', async () => {
    await start({ exit: true, templates: [template({ perms: '0400' })] }).ended
    expect(statSync(file()).mode & 0o777).toBe(0o400)
  })

  it('waits for all secrets of a template and writes nothing half', async () => {
    server.secrets.delete('late')
    const contents =
      '{{ with secret "secret/data/my-app/config" }}{{ .Data.data.username }}{{ end }}{{ with secret "secret/data/late" }}{{ .Data.data.x }}{{ end }}'
    start({ templates: [template({ contents })] })
    await until(() => logged('retry attempt 1').length > 0)
    expect(existsSync(file())).toBe(false)
    server.put('late', { x: '!' })
    await clock.advance(1000)
    await until(() => content() === 'u!')
  })

  it('follows names that come out of other secrets', async () => {
    server.put('index', { next: 'my-app/config' })
    const contents =
      '{{ with secret "secret/data/index" }}{{ with secret (print "secret/data/" .Data.data.next) }}{{ .Data.data.username }}{{ end }}{{ end }}'
    await start({ exit: true, templates: [template({ contents })] }).ended
    expect(content()).toBe('u')
  })

  it('ends at once when a key is missing that must not be', async () => {
    const contents = '{{ with secret "secret/data/my-app/config" }}{{ .Data.data.nope }}{{ end }}'
    const error = await start({ exit: true, templates: [template({ contents, error_on_missing_key: true })] }).ended
    expect(String(error)).toContain(`executing "${file()}" at <.Data.data.nope>: map has no entry for key "nope"`)
    expect(existsSync(file())).toBe(false)
  })

  it('names a function of consul-template that it lacks before it asks the server', async () => {
    const error = await start({ templates: [template({ contents: '{{ sprig_upper "a" }}' })] }).ended
    expect(String(error)).toContain('function "sprig_upper" not defined: consul-template has this function')
    expect(server.requests).toEqual([])
  })

  it('renews a lease and reads new credentials only when it is over', async () => {
    const lease = { lease_id: 'database/creds/app/1', renewable: true, lease_duration: 600 }
    server.leased.set('database/creds/app', { data: { username: 'first' }, lease })
    server.leased.set('sys/leases/renew', { data: {}, lease })
    const contents = '{{ with secret "database/creds/app" }}{{ .Data.username }}{{ end }}'
    start({ templates: [template({ contents })] })
    await until(() => content() === 'first' && server.asked('sys/leases/renew').length > 0)
    for (let i = 0; i < 10; i++) await clock.advance(100_000)
    expect(server.asked('database/creds/app')).toHaveLength(1)
    server.leased.set('database/creds/app', { data: { username: 'second' }, lease })
    server.leased.set('sys/leases/renew', { data: {}, lease: { ...lease, renewable: false, lease_duration: 60 } })
    for (let i = 0; i < 10; i++) await clock.advance(100_000)
    await until(() => content() === 'second')
  })

  it('asks a write once and not again when the server comes back', async () => {
    server.leased.set('database/issue/app', { data: { serial: 'one' }, lease: {} })
    const contents =
      '{{ with secret "database/issue/app" "common_name=a.b" "ttl=1h" }}{{ .Data.serial }}{{ end }}{{ with secret "secret/data/my-app/config" }}{{ .Data.data.username }}{{ end }}'
    start({ templates: [template({ contents })] })
    await until(() => content() === 'oneu' && server.listeners === 1)
    const [request] = server.asked('database/issue/app')
    expect(request?.method).toBe('PUT')
    expect(JSON.parse(request?.body ?? '')).toEqual({ common_name: 'a.b', ttl: '1h' })
    server.put('my-app/config', { username: 'v' })
    await until(() => content() === 'onev')
    expect(server.asked('database/issue/app')).toHaveLength(1)
  })
})
