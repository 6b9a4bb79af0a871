import { type ChildProcess, spawn } from 'node:child_process'
import { getEventListeners } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import { type ServerEvent, SocketRefused, subscribe } from '../../src/sdk/events.ts'
import { createSocketConnector } from '../../src/sdk/web-socket.ts'
import { root, startServer, type TestServer } from './server-process.ts'

const vault = join(root, 'dist/bin/vault')
const coffer = join(root, 'bin/coffer')
const folder = mkdtempSync(join(tmpdir(), 'coffer-cli-'))
const home = join(folder, 'home')
const work = join(folder, 'work')
const running = new Set<ChildProcess>()
let server: TestServer

beforeAll(async () => {
  mkdirSync(home)
  mkdirSync(work)
  server = await startServer()
  await server.request('POST', 'sys/mounts/secret', { type: 'kv', options: { version: '2' } })
})
afterAll(async () => {
  for (const child of running) child.kill('SIGKILL')
  await server?.close()
  rmSync(folder, { recursive: true, force: true })
})

interface Run {
  readonly status: number | null
  readonly out: string
  readonly err: string
}
interface Given {
  readonly program?: string
  /** '' : none in the environment. */
  readonly token?: string
  readonly stdin?: string
  readonly env?: Record<string, string>
}

function start(args: readonly string[], { program = vault, token = server.rootToken, env }: Given = {}) {
  const child = spawn(program, [...args], {
    cwd: work,
    env: {
      PATH: process.env['PATH'],
      HOME: home,
      VAULT_ADDR: server.url,
      VAULT_MAX_RETRIES: '0',
      ...(token && { VAULT_TOKEN: token }),
      ...env,
    },
  })
  running.add(child)
  let out = ''
  let err = ''
  child.stdout.on('data', (data) => {
    out += data
  })
  child.stderr.on('data', (data) => {
    err += data
  })
  const ended = new Promise<Run>((done, fail) => {
    child.on('error', fail)
    child.on('close', (status) => {
      running.delete(child)
      done({ status, out, err })
    })
  })
  return { child, ended }
}

function run(args: readonly string[], given: Given = {}): Promise<Run> {
  const { child, ended } = start(args, given)
  child.stdin.end(given.stdin ?? '')
  return ended
}

async function until(what: () => boolean) {
  const deadline = performance.now() + 20_000
  while (!what()) {
    if (performance.now() > deadline) throw new Error(`never happened: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

describe.each([
  ['dist/bin/vault', vault],
  ['bin/coffer', coffer],
])('%s', (_, program) => {
  const name = program === vault ? 'by-vault' : 'by-coffer'
  const asJson = async (...args: string[]) => {
    const { status, out, err } = await run(args, { program })
    expect({ status, err }).toEqual({ status: 0, err: '' })
    return JSON.parse(out)
  }

  it('writes, reads, lists and deletes a secret, as JSON that scripts read', async () => {
    const written = await asJson('kv', 'put', '-format=json', `secret/${name}/config`, 'user=u', 'port=5432')
    expect(written.data).toMatchObject({ version: 1, deletion_time: '', destroyed: false, custom_metadata: null })
    const read = await asJson('kv', 'get', '-format=json', '-mount=secret', `${name}/config`)
    const members = Object.keys(read).filter((key) => key !== 'mount_type')
    expect(members).toEqual(['request_id', 'lease_id', 'lease_duration', 'renewable', 'data', 'warnings'])
    expect(read.data.data).toEqual({ port: '5432', user: 'u' })
    expect(read.data.metadata).toEqual(written.data)
    expect((await run(['kv', 'get', '-field=user', `secret/${name}/config`], { program })).out).toBe('u')
    expect(await asJson('kv', 'list', '-format=json', `secret/${name}`)).toEqual(['config'])
    expect(await run(['kv', 'delete', `secret/${name}/config`], { program })).toEqual({
      status: 0,
      out: `Success! Data deleted (if it existed) at: secret/data/${name}/config\n`,
      err: '',
    })
    const deleted = await asJson('kv', 'get', '-format=json', `secret/${name}/config`)
    expect(deleted.data.data).toBeNull()
    expect(deleted.data.metadata.deletion_time).toMatch(/^\d{4}-.*Z$/)
    const field = await run(['kv', 'get', '-field=user', `secret/${name}/config`], { program })
    expect(field).toMatchObject({ status: 2, out: '' })
  })

  it.each([
    ['a secret that is not there', ['kv', 'get', 'secret/nope'], 2, 'No value found at secret/data/nope\n'],
    ['a path that is not there', ['read', 'secret/data/nope'], 2, 'No value found at secret/data/nope\n'],
    ['a mount that is not there', ['read', 'nope/x'], 2, 'no handler for route "nope/x". route entry not found.'],
    ['an empty list', ['kv', 'list', 'secret/nope'], 2, 'No value found at secret/metadata/nope\n'],
    ['too few arguments', ['kv', 'get'], 1, 'Not enough arguments (expected 1, got 0)'],
    ['too many arguments', ['kv', 'get', 'a', 'b'], 1, 'Too many arguments (expected 1, got 2)'],
    ['an unknown flag', ['kv', 'get', '-fromat=json', 'a'], 1, 'flag provided but not defined: -fromat'],
    ['an unknown format', ['kv', 'get', '-format=xml', 'secret/a'], 1, 'Invalid output format: xml'],
    ['data without a key', ['kv', 'put', 'secret/a', 'canary-value'], 1, 'format must be key=value'],
    ['an unknown command', ['kv', 'gte', 'a'], 127, 'Unknown command: kv gte'],
  ])('%s ends with the status that scripts test for', async (_what, args, status, words) => {
    const result = await run(args, { program })
    expect({ status: result.status, out: result.out }).toEqual({ status, out: '' })
    expect(result.err).toContain(words)
    expect(result.err).not.toContain('canary-value')
    expect(result.err).not.toContain('    at ')
  })
})

describe('the token', () => {
  it('is kept in HOME and nowhere else, mode 0600, and used from there', async () => {
    const before = everythingIn(folder)
    const { json } = await server.request('POST', 'auth/token/create', { policies: ['default'], ttl: '1h' })
    const token: string = json.auth.client_token
    const login = await run(['login', '-no-print', '-'], { token: '', stdin: `${token}\n` })
    expect(login).toEqual({ status: 0, out: '', err: '' })
    expect(everythingIn(folder).filter((path) => !before.includes(path))).toEqual([join(home, '.vault-token')])
    expect(readFileSync(join(home, '.vault-token'), 'utf8')).toBe(token)
    expect(statSync(join(home, '.vault-token')).mode & 0o777).toBe(0o600)
    const lookup = await run(['token', 'lookup', '-format=json'], { token: '' })
    expect(JSON.parse(lookup.out).data.policies).toEqual(['default'])
    rmSync(join(home, '.vault-token'))
    const without = await run(['token', 'lookup'], { token: '' })
    expect(without.status).toBe(2)
    expect(without.err).toContain('Code: 403. Errors:\n\n* permission denied')
  })

  it('that the server does not know is not kept', async () => {
    const login = await run(['login', '-'], { token: '', stdin: 'hvs.unknown-canary' })
    expect(login.status).toBe(2)
    expect(login.err).toMatch(/^Error authenticating: error looking up token: Error making API request\./)
    expect(`${login.out}${login.err}`).not.toContain('canary')
    expect(readdirSync(home)).toEqual([])
  })

  it("without the policy gets Vault's words for a 403, and they do not show it", async () => {
    const { json } = await server.request('POST', 'auth/token/create', { policies: ['default'], ttl: '1h' })
    const token: string = json.auth.client_token
    const read = await run(['read', 'secret/data/by-vault/config'], { token })
    expect(read).toEqual({
      status: 2,
      out: '',
      err: `Error reading secret/data/by-vault/config: Error making API request.\n\nURL: GET ${server.url}/v1/secret/data/by-vault/config\nCode: 403. Errors:\n\n* 1 error occurred:\n\t* permission denied\n\n\n`,
    })
    const get = await run(['kv', 'get', 'secret/by-vault/config'], { token })
    expect(get.status).toBe(2)
    expect(get.err).toContain("preflight capability check returned 403, please ensure client's policies grant access")
    expect(`${read.err}${get.err}`).not.toContain(token)
  })

  it('that is no header value is refused in one line', async () => {
    const { status, err } = await run(['read', 'secret/data/a'], { token: 'hvs.canary\nx' })
    expect({ status, err }).toEqual({
      status: 2,
      err: 'Error reading secret/data/a: the configured Vault token contains non-printable characters and cannot be used\n',
    })
  })
})

describe('a value from stdin', () => {
  it('arrives byte for byte and is never among the arguments', async () => {
    const { child, ended } = start(['kv', 'put', 'secret/stdin', 'value=-'])
    const cmdline = () => readFileSync(`/proc/${child.pid}/cmdline`, 'utf8').split('\0')
    if (process.platform === 'linux') {
      await until(() => cmdline().some((word) => word.endsWith('coffer.js')))
      child.stdin.write('canary ')
      expect(cmdline()).toContain('value=-')
      expect(cmdline().join(' ')).not.toContain('canary')
    } else child.stdin.write('canary ')
    child.stdin.end('"\\ü\n')
    expect(await ended).toMatchObject({ status: 0, err: '' })
    const { json } = await server.request('GET', 'secret/data/stdin')
    expect(json.data.data).toEqual({ value: 'canary "\\ü\n' })
  })

  it('may be a whole document, whose numbers keep their text', async () => {
    const stdin = '{"big":12345678901234567890,"one":1.0}'
    expect((await run(['kv', 'put', 'secret/document', '-'], { stdin })).status).toBe(0)
    const { text } = await server.request('GET', 'secret/data/document')
    expect(text).toContain('"data":{"big":12345678901234567890,"one":1.0}')
  })
})

describe('vault agent', () => {
  it.each([
    [['agent'], 'Error: -config is missing: the file that says what to do\n'],
    [['agent', '-config'], 'Error: -config needs a value\n'],
    [['agent', '-config=/nope.hcl'], 'Error: cannot read the configuration /nope.hcl\n'],
    [['agent', '-confgi=x'], 'Error: unknown argument -confgi; accepted: -config,'],
  ])('%j ends with 1 and says why', async (args, words) => {
    const { status, out, err } = await run(args)
    expect({ status, out }).toEqual({ status: 1, out: '' })
    expect(err).toContain(words)
    expect(err).not.toContain('    at ')
  })

  it('names the place of a mistake in the configuration, not the values in it', async () => {
    const path = join(work, 'agent.hcl')
    writeFileSync(
      path,
      'auto_auth {\n  method "kubernetes" {\n    config = { role = "canary", rolle = "canary" }\n  }\n}\n',
    )
    const { status, err } = await run(['agent', `-config=${path}`])
    expect(status).toBe(1)
    expect(err).toContain('unknown key')
    expect(err).toContain('rolle')
    expect(err).not.toContain('canary')
  })
})

describe('change notices', () => {
  const connect = () => createSocketConnector({ address: server.url, clock: systemClock })

  it('reach a subscriber after a kv put', async () => {
    const stop = new AbortController()
    const events = subscribe({
      connect: connect(),
      token: server.rootToken,
      type: 'kv-v2/*',
      clock: systemClock,
      signal: stop.signal,
    })
    const seen: ServerEvent[] = []
    const following = (async () => {
      for await (const event of events) seen.push(event)
    })()
    await until(() => seen.includes('reset'))
    expect((await run(['kv', 'put', 'secret/noticed', 'value=canary'])).status).toBe(0)
    await until(() => seen.length > 1)
    stop.abort(new Error('the test ends'))
    await following
    expect(seen[1]).toMatchObject({
      type: 'kv-v2/data-write',
      path: 'secret/data/noticed',
      mountPath: 'secret/',
    })
    expect(JSON.stringify(seen)).not.toContain('canary')
    expect(getEventListeners(stop.signal, 'abort')).toEqual([])
  })

  it('that are refused leave nothing behind', async () => {
    const { signal } = new AbortController()
    const path = '/v1/sys/events/subscribe/kv-v2/*?json=true'
    const refused = connect()(path, { 'X-Vault-Token': 'hvs.unknown' }, signal)
    await expect(refused).rejects.toThrow(SocketRefused)
    await expect(refused).rejects.toThrow('the server answered 403 instead of opening a WebSocket')
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })
})

describe('a standby', () => {
  const standby = async (location: string) => {
    const asked: string[] = []
    const web = http.createServer((request, response) => {
      asked.push(request.url ?? '')
      if (asked.length === 1) response.writeHead(307, { Location: location }).end()
      else response.writeHead(200, { 'Content-Type': 'application/json' }).end('{"request_id":"x","data":{"k":"v"}}')
    })
    await new Promise<void>((done) => web.listen(0, '127.0.0.1', done))
    const { port } = web.address() as AddressInfo
    const result = await run(['read', '-field=k', 'secret/a'], {
      env: { VAULT_ADDR: `http://127.0.0.1:${port}/behind/proxy`, VAULT_TOKEN: 'the-token' },
    })
    web.closeAllConnections()
    await new Promise((done) => web.close(done))
    return { asked, result }
  }

  it('that sends to another path of its address is followed there', async () => {
    const { asked, result } = await standby('/behind/proxy/v1/secret/b')
    expect(asked).toEqual(['/behind/proxy/v1/secret/a', '/behind/proxy/v1/secret/b'])
    expect(result).toEqual({ status: 0, out: 'v', err: '' })
  })

  it("that sends to another host is followed there with the token, as by Vault's", async () => {
    let token: string | undefined
    const active = http.createServer((request, response) => {
      token = String(request.headers['x-vault-token'])
      response.writeHead(200, { 'Content-Type': 'application/json' }).end('{"request_id":"x","data":{"k":"there"}}')
    })
    await new Promise<void>((done) => active.listen(0, '127.0.0.1', done))
    const { port } = active.address() as AddressInfo
    const { asked, result } = await standby(`http://127.0.0.1:${port}/v1/secret/a`)
    active.closeAllConnections()
    await new Promise((done) => active.close(done))
    expect(asked).toHaveLength(1)
    expect(result).toEqual({ status: 0, out: 'there', err: '' })
    expect(token).toBe('the-token')
  })
})

describe('status', () => {
  it('is 0 while the server serves, 2 while it is sealed, 1 when nobody answers', async () => {
    expect(await run(['status', '-format=json'])).toMatchObject({ status: 0, err: '' })
    expect(await run(['operator', 'seal'])).toEqual({ status: 0, out: 'Success! Vault is sealed.\n', err: '' })
    const sealed = await run(['status', '-format=json'])
    expect(sealed).toMatchObject({ status: 2, err: '' })
    expect(JSON.parse(sealed.out)).toMatchObject({ sealed: true, initialized: true })
    const read = await run(['kv', 'get', 'secret/a'])
    expect(read.status).toBe(2)
    expect(read.err).toContain('Code: 503. Errors:\n\n* Vault is sealed')
    const [key = ''] = server.unsealKeys
    expect(await run(['operator', 'unseal', '-'], { stdin: `${key}\n` })).toMatchObject({ status: 0, err: '' })
    expect((await run(['status'])).status).toBe(0)
    const nobody = await run(['status'], { env: { VAULT_ADDR: 'http://127.0.0.1:1' } })
    expect({ status: nobody.status, out: nobody.out }).toEqual({ status: 1, out: '' })
    expect(nobody.err).toContain('connect: connection refused')
  })
})

const everythingIn = (dir: string) =>
  readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .map((name) => join(dir, name))
    .sort()
