import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { get } from 'node:https'
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

async function listener(body: string) {
  const config = parseConfiguration(`storage "inmem" {}\nlistener "tcp" {\n address = "127.0.0.1:0"\n ${body}\n}`)
  const [first] = config.listeners
  if (!first) throw new Error('no listener')
  const operations = nodeOperations({ clock })
  const opened = await openListener(first, {
    handler: async () => ({ status: 200, headers: {}, body: 'handled' }),
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
