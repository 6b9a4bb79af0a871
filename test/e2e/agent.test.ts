import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { WebSocketServer } from 'ws'
import { FakeServer } from '../../src/agent/fake-server.ts'

const executable = process.env['COFFER_TEST_EXECUTABLE'] ?? resolve(import.meta.dirname, '../../bin/coffer')
const folder = mkdtempSync(join(tmpdir(), 'coffer-agent-e2e-'))
const file = join(folder, 'secrets', 'config')
const server = new FakeServer()
const children: ChildProcess[] = []
let port = 0
let web: http.Server

/** The fake server behind real HTTP and a real WebSocket. */
async function listen() {
  web = http.createServer(async (request, response) => {
    let body = ''
    for await (const part of request) body += part
    const headers = { 'X-Vault-Token': String(request.headers['x-vault-token'] ?? '') }
    const answer = await server.transport.send({ method: request.method ?? '', path: request.url ?? '', headers, body })
    response.writeHead(answer.status, { 'Content-Type': 'application/json' }).end(answer.body)
  })
  const sockets = new WebSocketServer({ server: web })
  sockets.on('connection', async (socket) => {
    const stop = new AbortController()
    socket.on('close', () => stop.abort(new Error('closed')))
    for await (const message of await server.connect('', {}, stop.signal)) socket.send(message)
    socket.terminate()
  })
  await new Promise<void>((done) => web.listen(port, '127.0.0.1', done))
  port = (web.address() as AddressInfo).port
}

async function close() {
  server.stop('sealed')
  server.mode = 'up'
  web.closeAllConnections()
  await new Promise((done) => web.close(done))
}

beforeAll(listen)
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL')
  await close()
  rmSync(folder, { recursive: true, force: true })
})

function startAgent(name: string, exitAfterAuth: boolean) {
  const config = join(folder, `${name}.json`)
  writeFileSync(join(folder, 'jwt'), 'canary-jwt')
  writeFileSync(
    config,
    JSON.stringify({
      auto_auth: {
        method: {
          type: 'kubernetes',
          mount_path: 'auth/kubernetes',
          config: { role: 'my-app-role', token_path: join(folder, 'jwt') },
        },
        sink: [{ type: 'file', config: { path: join(folder, '.vault-token') } }],
      },
      exit_after_auth: exitAfterAuth,
      pid_file: join(folder, '.pid'),
      vault: { address: `http://127.0.0.1:${port}` },
      template: [
        {
          destination: file,
          contents: '{{ with secret "secret/data/my-app/config" }}{{ .Data.data.password }}{{ end }}',
        },
      ],
      template_config: { exit_on_retry_failure: true },
    }),
  )
  const started = performance.now()
  const env = { PATH: process.env['PATH'], HOME: folder, COFFER_ARGV0: 'vault' }
  const child = spawn(process.execPath, [executable, 'agent', `-config=${config}`], { env })
  children.push(child)
  const agent = { child, started, stdout: '', log: '' }
  child.stdout.on('data', (data) => (agent.stdout += data))
  child.stderr.on('data', (data) => (agent.log += data))
  return agent
}

async function until(what: () => boolean, about: () => string) {
  const deadline = performance.now() + 20_000
  while (!what()) {
    if (performance.now() > deadline) throw new Error(`never happened: ${what}\n${about()}`)
    await new Promise((done) => setTimeout(done, 2))
  }
}
const content = () => (existsSync(file) ? readFileSync(file, 'utf8') : '')
const exit = (child: ChildProcess) =>
  new Promise<number | null>((done) => (child.exitCode !== null ? done(child.exitCode) : child.once('exit', done)))

const status = () =>
  new Promise<any>((done, fail) => {
    const options = { socketPath: join(folder, 'agent.sock'), path: '/agent/v1/status' }
    http
      .get(options, async (response) => {
        let body = ''
        for await (const part of response) body += part
        done(JSON.parse(body))
      })
      .on('error', fail)
  })

it('an init agent renders and ends with 0', async () => {
  server.put('my-app/config', { password: 'canary-1' })
  const agent = startAgent('init', true)
  expect(await exit(agent.child), agent.log).toBe(0)
  console.log(`init agent: ${Math.round(performance.now() - agent.started)} ms`)
  expect(content()).toBe('canary-1')
  expect(agent.stdout).toContain('==> Vault Agent started! Log data will stream in below:')
  expect(existsSync(join(folder, '.pid'))).toBe(false)
})

it('a sidecar follows changes, survives an outage and shows it, and ends on SIGTERM with 0', async () => {
  const agent = startAgent('sidecar', false)
  const about = () => agent.log
  await until(() => agent.log.includes('the server tells of changes'), about)
  expect(statSync(join(folder, '.pid')).mode & 0o777).toBe(0o600)
  expect(readFileSync(join(folder, '.pid'), 'utf8')).toBe(String(agent.child.pid))

  const changed = performance.now()
  server.put('my-app/config', { password: 'canary-2' })
  await until(() => content() === 'canary-2', about)
  console.log(`change -> file: ${(performance.now() - changed).toFixed(1)} ms`)
  expect(await status()).toMatchObject({
    token: { state: 'valid', accessor: 'accessor-2' },
    stale: null,
    changes: 'live',
    templates: [{ destination: file, rendered: true, stale: false, error: null }],
  })

  await close()
  await until(() => agent.log.includes('stale since'), about)
  const stale = await status()
  expect(stale.templates[0]).toMatchObject({ stale: true, rendered: true })
  expect(agent.log).toContain(`stale since ${stale.stale.since}`)
  expect(content()).toBe('canary-2')

  server.secrets.set('my-app/config', { data: { password: 'canary-3' }, version: 3 })
  await listen()
  const back = performance.now()
  await until(() => content() === 'canary-3', about)
  console.log(`server back -> file: ${Math.round(performance.now() - back)} ms`)
  expect(agent.log.match(/stale since/g)).toHaveLength(1)
  expect((await status()).stale).toBe(null)

  if (process.platform === 'linux') {
    const memory = readFileSync(`/proc/${agent.child.pid}/status`, 'utf8')
    console.log(
      'agent',
      memory
        .match(/VmRSS:.*|RssAnon:.*/g)
        ?.join(' ')
        .replace(/\s+/g, ' '),
    )
  }
  agent.child.kill('SIGTERM')
  expect(await exit(agent.child)).toBe(0)
  expect(agent.stdout).toContain('==> Vault Agent shutdown triggered')
  expect(existsSync(join(folder, '.pid'))).toBe(false)
  expect(existsSync(join(folder, 'agent.sock'))).toBe(false)
  expect(agent.log + agent.stdout).not.toContain('canary')
})

it('a configuration that cannot be used ends with 1 and the name of the key', async () => {
  const config = join(folder, 'bad.json')
  writeFileSync(config, '{"auto_auth":{"method":{"type":"kubernetes","config":{"role":"r"}}},"exec":{"command":["x"]}}')
  const child = spawn(process.execPath, [executable, 'agent', `-config=${config}`], {
    env: { PATH: process.env['PATH'] },
  })
  children.push(child)
  let log = ''
  child.stderr.on('data', (data) => (log += data))
  expect(await exit(child)).toBe(1)
  expect(log).toContain('"exec" is known to Vault Agent but not implemented by coffer agent')
})
