import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { get as httpGet } from 'node:http'
import { get } from 'node:https'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { FakeClock } from '../../src/lib/fake-clock.ts'
import { systemRandom } from '../../src/lib/random.ts'
import { parseConfiguration } from '../../src/programs/server/configuration.ts'
import { makeDevCertificates } from '../../src/programs/server/node/dev-certificates.ts'
import { ServerLog } from '../../src/programs/server/node/logger.ts'
import { openListener } from '../../src/programs/server/node/open-listener.ts'
import { nodeOperations } from '../../src/programs/server/node/operations.ts'
import { Reloads } from '../../src/programs/server/node/reloads.ts'
import { createNodeTransport } from '../../src/sdk/node-transport.ts'
import type { Handler } from '../../src/server/http/handler.ts'
import type { Listener } from '../../src/server/http/listener.ts'

const root = mkdtempSync(join(tmpdir(), 'coffer-node-'))
const open: Listener[] = []
afterEach(async () => {
  for (const listener of open.splice(0)) await listener.close(async () => {})
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

const clock = new FakeClock(Date.now())
const certificates = (directory: string) =>
  makeDevCertificates({ directory, host: '127.0.0.1', now: Date.now(), random: systemRandom })

async function listener(body: string, handler?: Handler) {
  return openAs(`listener "tcp" {\n address = "127.0.0.1:0"\n ${body}\n}`, handler)
}

async function openAs(stanza: string, handler: Handler = async () => ({ status: 200, headers: {}, body: 'handled' })) {
  const config = parseConfiguration(`storage "inmem" {}\n${stanza}`)
  const [first] = config.listeners
  if (!first) throw new Error('no listener')
  const operations = nodeOperations({ clock })
  const opened = await openListener(first, {
    handler,
    cors: () => undefined,
    operations,
  })
  open.push(opened)
  return { config, address: opened.address, listener: opened, operations }
}

async function fetchText(url: string, init: RequestInit = {}) {
  const answer = await fetch(url, init)
  return { status: answer.status, text: await answer.text(), type: answer.headers.get('content-type') }
}

/** The certificate that a TLS listener shows to a new connection, and its answer. */
const overTls = (url: string, ca: string) =>
  new Promise<{ body: string; serial: string }>((resolve, reject) => {
    get(url, { ca, agent: false }, (answer) => {
      const socket = answer.socket as unknown as { getPeerCertificate(): { serialNumber: string } }
      const { serialNumber: serial } = socket.getPeerCertificate()
      let body = ''
      answer.on('data', (chunk) => (body += chunk)).on('end', () => resolve({ body, serial }))
    }).on('error', reject)
  })

describe('a listener', () => {
  it('keeps metrics behind the token unless it says otherwise', async () => {
    const { address } = await listener('tls_disable = true')
    expect((await fetchText(`${address}/v1/sys/metrics`)).text).toBe('handled')
  })

  it('shows metrics to everyone, but only to read', async () => {
    const { address } = await listener(
      'tls_disable = true\n telemetry { unauthenticated_metrics_access = true }\n require_request_header = true',
    )
    const shown = await fetchText(`${address}/v1/sys/metrics?format=prometheus`)
    expect(shown).toMatchObject({ status: 200, type: 'text/plain; version=0.0.4; charset=utf-8' })
    expect(shown.text).toMatch(/^vault_core_unsealed 0$/m)
    expect((await fetchText(`${address}/v1/sys/metrics?format=xml`)).status).toBe(400)
    expect((await fetchText(`${address}/v1/sys/metrics`, { method: 'POST' })).status).toBe(412)
    expect((await fetchText(`${address}/v1/sys/health`)).status).toBe(412)
  })

  it('may show nothing but metrics, or none', async () => {
    const only = await listener('tls_disable = true\n telemetry { metrics_only = true }')
    expect((await fetchText(`${only.address}/v1/sys/metrics`)).status).toBe(200)
    expect((await fetchText(`${only.address}/v1/sys/health`)).status).toBe(404)
    const none = await listener('tls_disable = true\n telemetry { disallow_metrics = true }')
    expect((await fetchText(`${none.address}/v1/sys/metrics`)).status).toBe(404)
    expect((await fetchText(`${none.address}/v1/sys/%6Detrics`)).status).toBe(404)
    expect((await fetchText(`${none.address}/v1/sys/health`)).text).toBe('handled')
  })

  it('may show to everyone what is under way', async () => {
    const { address, operations } = await listener(
      'tls_disable = true\n inflight_requests_logging { unauthenticated_in_flight_requests_access = true }',
    )
    operations.requests.add({
      slot: -1,
      id: 'r',
      now: 0,
      incoming: { verb: 'read', path: 'a', remote: { address: 'b', port: 1 } },
    })
    expect(Object.keys(JSON.parse((await fetchText(`${address}/v1/sys/in-flight-req`)).text))).toEqual(['r'])
  })

  it('refuses bodies above its own limit', async () => {
    const { address } = await listener('tls_disable = true\n max_request_size = 10')
    expect((await fetchText(`${address}/v1/a`, { method: 'POST', body: '0123456789' })).status).toBe(200)
    expect((await fetchText(`${address}/v1/a`, { method: 'POST', body: '0123456789a' })).status).toBe(413)
  })
})

describe('the limits of a listener', () => {
  /** What the handler is given of the listener's limits. */
  it('reach the server with each request', async () => {
    const seen: unknown[] = []
    const { address } = await listener(
      'tls_disable = true\n max_request_duration = "5s"\n max_json_depth = 3',
      async (request) => {
        seen.push(request.limits)
        return { status: 200, headers: {}, body: '' }
      },
    )
    await fetch(`${address}/v1/a`)
    expect(seen).toEqual([{ durationMs: 5000, json: { maxDepth: 3 } }])
  })

  it('open although headers may take longer than whole requests, and hold near the time that they say', async () => {
    const { address } = await listener(
      'tls_disable = true\n http_read_timeout = "1s"\n http_read_header_timeout = "200s"',
    )
    const socket = connect(Number(new URL(address).port), '127.0.0.1')
    socket.write('GET /v1/a HTTP/1.1\r\nHost: x\r\n')
    let answer = ''
    for await (const chunk of socket) answer += chunk
    expect(answer).toMatch(/^HTTP\/1\.1 408 /)
    // Node by itself looks every 30 s.
  }, 20_000)

  it('cut a connection on which an answer does not move', async () => {
    let gone = () => {}
    const cut = new Promise<void>((resolve) => {
      gone = resolve
    })
    const { address } = await listener('tls_disable = true\n http_write_timeout = "1s"', async (request) => {
      request.onGone?.(gone)
      return new Promise(() => {})
    })
    await expect(fetch(`${address}/v1/a`)).rejects.toThrow()
    await cut
  })
})

it('a client that finds no server names its address without the password', async () => {
  const { listener: opened, address } = await listener('tls_disable = true')
  await opened.close(async () => {})
  const there = address.replace('//', '//ada:canary-pw@')
  const asked = createNodeTransport({ address: there }).send({ method: 'GET', path: '/v1/a', headers: {} })
  await expect(asked).rejects.toThrow(`Get "${address.replace('//', '//ada:***@')}/v1/a"`)
})

describe('a listener that redacts', () => {
  const status = {
    version: '1',
    build_date: 'd',
    cluster_name: 'c',
    cluster_id: 'i',
    leader_address: 'https://a',
    n: 1,
  }
  const handler: Handler = async () => ({ status: 200, headers: {}, body: JSON.stringify(status) })
  const all = 'tls_disable = true\n redact_version = true\n redact_cluster_name = true\n redact_addresses = true'

  it('blanks what it was told to, where no token is needed', async () => {
    const { address } = await listener(all, handler)
    for (const path of ['sys/health?x=1', 'sys/seal-status', 'sys/leader', 'sys/%68ealth']) {
      expect(JSON.parse((await fetchText(`${address}/v1/${path}`)).text)).toEqual({
        version: '',
        build_date: '',
        cluster_name: '',
        cluster_id: 'i',
        leader_address: '',
        n: 1,
      })
    }
    expect(JSON.parse((await fetchText(`${address}/v1/secret/data/a`)).text)).toEqual(status)
    const version = await listener('tls_disable = true\n redact_version = true', handler)
    expect(JSON.parse((await fetchText(`${version.address}/v1/sys/health`)).text)).toEqual({
      ...status,
      version: '',
      build_date: '',
    })
  })
})

describe('a listener on a socket of the file system', () => {
  const path = join(root, 'coffer.sock')
  const asked = (socketPath: string) =>
    new Promise<string>((resolve, reject) => {
      const request = httpGet({ socketPath, path: '/v1/a', agent: false }, (answer) => {
        let body = ''
        answer.on('data', (chunk) => (body += chunk)).on('end', () => resolve(body))
      })
      request.on('error', reject)
    })

  it('answers, is for its owner alone, and leaves nothing behind', async () => {
    const { address, listener: opened } = await openAs(`listener "unix" { address = "${path}" }`)
    expect(address).toBe(`unix://${path}`)
    expect(await asked(path)).toBe('handled')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    await opened.close(async () => {})
    expect(existsSync(path)).toBe(false)
  })

  it('has the mode and the owner that were given', async () => {
    const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0]
    await openAs(
      `listener "unix" {\n address = "${path}"\n socket_mode = "660"\n socket_user = ${uid}\n socket_group = "${gid}"\n}`,
    )
    expect(statSync(path)).toMatchObject({ uid, gid })
    expect(statSync(path).mode & 0o777).toBe(0o660)
    await expect(
      openAs(`listener "unix" {\n address = "${path}2"\n socket_user = "no-such-user-here"\n}`),
    ).rejects.toThrow('there is no user no-such-user-here in /etc/passwd')
    expect(existsSync(`${path}2`)).toBe(false)
  })

  it('takes the place of a server that is gone, of nothing else', async () => {
    await openAs(`listener "unix" { address = "${path}" }`)
    await expect(openAs(`listener "unix" { address = "${path}" }`)).rejects.toThrow(`another server listens on ${path}`)
    expect(await asked(path)).toBe('handled')
    const file = join(root, 'precious')
    writeFileSync(file, 'kept')
    await expect(openAs(`listener "unix" { address = "${file}" }`)).rejects.toThrow(`${file} is no socket`)
    expect(readFileSync(file, 'utf8')).toBe('kept')
    const stale = join(root, 'stale.sock')
    // A process that ends without closing leaves its socket.
    execFileSync(process.execPath, [
      '-e',
      'require("net").createServer().listen(process.argv[1], () => process.exit(0))',
      stale,
    ])
    expect(statSync(stale).isSocket()).toBe(true)
    await openAs(`listener "unix" { address = "${stale}" }`)
    expect(await asked(stale)).toBe('handled')
  })

  it('is one that our client reaches', async () => {
    await openAs(`listener "unix" { address = "${path}" }`)
    const transport = createNodeTransport({ address: `unix://${path}` })
    expect(await transport.send({ method: 'GET', path: '/v1/a', headers: {} })).toMatchObject({ body: 'handled' })
    await transport.close?.()
  })
})

describe('a reload', () => {
  it('gives listeners new certificates and the log its new level, each on its own', async () => {
    const before = await certificates(root)
    const tls = `tls_cert_file = "${before.certFile}"\n tls_key_file = "${before.keyFile}"`
    const { config, listener: opened, address } = await listener(tls)
    const lines: string[] = []
    const logs = new ServerLog({
      level: 'info',
      format: 'standard',
      name: 'server',
      clock,
      write: (l) => lines.push(l),
    })
    const reloads = new Reloads({
      config,
      readAgain: () => ({ ...config, logLevel: 'debug' }),
      levelIsFixed: false,
      listeners: [opened],
      logs,
      logFile: undefined,
      log: logs.logger,
    })
    const first = await overTls(address, readFileSync(before.caFile, 'utf8'))
    expect(first.body).toBe('handled')
    const after = await certificates(root)
    let audited = 0
    const core = (reopen: () => Promise<void>) => ({
      seal: { sealed: true },
      broker: { declare: async () => {}, reopen },
    })
    reloads.core = core(async () => void (audited += 1))
    await reloads.all()
    const second = await overTls(address, readFileSync(after.caFile, 'utf8'))
    expect(second.serial).not.toBe(first.serial)
    expect([logs.levels(), audited]).toEqual([{ server: 'debug' }, 1])

    // A broken file: what was there stays, and the rest is reloaded.
    writeFileSync(after.certFile, 'broken')
    reloads.core = core(async () => {
      audited += 1
      throw new Error('no disk')
    })
    await reloads.all()
    expect((await overTls(address, readFileSync(after.caFile, 'utf8'))).serial).toBe(second.serial)
    expect(audited).toBe(2)
    const failed = lines.filter((line) => line.includes('[ERROR]')).join('')
    expect(failed).toMatch(/part=tls/)
    expect(failed).toMatch(/part=audit error="no disk"/)
  })
})
