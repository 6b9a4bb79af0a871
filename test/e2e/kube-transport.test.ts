/** The client and the admission server over real TLS on loopback. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, request as httpsRequest, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { type AdmissionServer, startAdmissionServer } from '../../src/kube/admission.ts'
import type { KubeClient } from '../../src/kube/client.ts'
import { trustFile } from '../../src/kube/credentials/certificate-files.ts'
import { bearer, type CredentialSource, fixedIdentity } from '../../src/kube/credentials/credential-source.ts'
import { execPlugin } from '../../src/kube/credentials/exec-plugin.ts'
import { secrets } from '../../src/kube/object-types.ts'
import { createKubeClient } from '../../src/kube/rest-client.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import { systemRandom } from '../../src/lib/random.ts'
import { createCa, issueCertificate } from '../../src/lib/x509/certificates.ts'

const base = { random: systemRandom, now: Date.now(), validForMs: 3_600_000 }
const ca = createCa({ ...base, commonName: 'ca' })
const leaf = (commonName = 'server') =>
  issueCertificate(ca, { ...base, commonName, server: true, ipAddresses: ['127.0.0.1'], dnsNames: ['api.test'] })

async function eventually(holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 10_000
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`did not come about: ${holds}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

const open: { close(): unknown }[] = []
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close()
})

async function listening(handler: Parameters<typeof createServer>[1] & object): Promise<number> {
  const { certPem: cert, keyPem: key } = leaf()
  const server: Server = createServer(
    { cert, key, ca: ca.certPem, requestCert: true, rejectUnauthorized: false },
    handler,
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  open.push({
    close: () =>
      new Promise((resolve) => {
        server.close(resolve)
        server.closeAllConnections()
      }),
  })
  return (server.address() as AddressInfo).port
}

function clientOf(port: number, credentials: CredentialSource, caPem = ca.certPem): KubeClient {
  const config = { server: `https://127.0.0.1:${port}`, caPem, namespace: 'default', credentials }
  const client = createKubeClient({ config, clock: systemClock, random: systemRandom, log: silentLog })
  open.push(client)
  return client
}

const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's', namespace: 'ns', resourceVersion: '5' } }

describe('kube client over TLS', () => {
  it('verifies the server, sends who we are, and reuses its connection', async () => {
    const ports = new Set<number | undefined>()
    const port = await listening((request, response) => {
      ports.add(request.socket.remotePort)
      response.end(JSON.stringify({ ...secret, metadata: { name: request.headers.authorization } }))
    })
    const client = clientOf(port, fixedIdentity({ headers: bearer('t1') }))
    for (let i = 0; i < 10; i++) {
      expect((await client.get(secrets, { namespace: 'ns', name: 's' }))?.metadata.name).toBe('Bearer t1')
    }
    // A request may begin before the connection of the one before is free again.
    expect(ports.size).toBeLessThanOrEqual(2)
    const stranger = clientOf(port, fixedIdentity({ headers: {} }), createCa({ ...base, commonName: 'ca' }).certPem)
    await expect(stranger.create(secrets, secret)).rejects.toThrow(
      /no answer from the Kubernetes API at https:.*certificate/,
    )
  })

  it('shows its client certificate', async () => {
    const port = await listening((request, response) => {
      const peer = (request.socket as import('node:tls').TLSSocket).getPeerCertificate()
      response.end(JSON.stringify({ ...secret, metadata: { name: peer.subject?.CN } }))
    })
    const own = issueCertificate(ca, { ...base, commonName: 'admin', client: true })
    const client = clientOf(port, fixedIdentity({ headers: {}, ...own }))
    expect((await client.get(secrets, { namespace: 'ns', name: 's' }))?.metadata.name).toBe('admin')
  })

  it('after 401 asks for another identity once', async () => {
    const seen: (string | undefined)[] = []
    const port = await listening((request, response) => {
      seen.push(request.headers.authorization)
      response.statusCode = request.headers.authorization === 'Bearer new' ? 200 : 401
      response.end(JSON.stringify(secret))
    })
    let token = 'old'
    const credentials: CredentialSource = {
      current: async () => ({ headers: bearer(token) }),
      refused: () => {
        token = 'new'
        return true
      },
    }
    await clientOf(port, credentials).get(secrets, { namespace: 'ns', name: 's' })
    expect(seen).toEqual(['Bearer old', 'Bearer new'])
  })

  it('new connections show a renewed certificate, what was under way on the old ones goes on, close ends both', async () => {
    const names: string[] = []
    const streams: import('node:http').ServerResponse[] = []
    const sockets = new Set<unknown>()
    const port = await listening((request, response) => {
      const socket = request.socket as import('node:tls').TLSSocket
      names.push(String(socket.getPeerCertificate().subject?.CN))
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
      if (!request.url?.includes('watch=true')) return response.end(JSON.stringify(secret))
      streams.push(response)
      return response.write(`${JSON.stringify({ type: 'ADDED', object: secret })}\n`)
    })
    let identity = { headers: {}, ...issueCertificate(ca, { ...base, commonName: 'first', client: true }) }
    const client = clientOf(port, { current: async () => identity, refused: () => false })
    const stop = new AbortController()
    const watch = client.watch(secrets, { namespace: 'ns' }, stop.signal)[Symbol.asyncIterator]()
    expect((await watch.next()).value).toMatchObject({ type: 'upserted' })
    await client.get(secrets, { namespace: 'ns', name: 's' })
    identity = { headers: {}, ...issueCertificate(ca, { ...base, commonName: 'second', client: true }) }
    await client.get(secrets, { namespace: 'ns', name: 's' })
    expect(names).toEqual(['first', 'first', 'second'])
    streams[0]?.write(`${JSON.stringify({ type: 'DELETED', object: secret })}\n`)
    expect((await watch.next()).value).toMatchObject({ type: 'deleted' })
    expect(names).toHaveLength(3)
    await client.close()
    await eventually(() => sockets.size === 0)
    stop.abort(new Error('over'))
    await watch.next()
  })

  it('a replaced authority is read again when the server shows a certificate of another', async () => {
    const { certPem: cert, keyPem: key } = leaf()
    const server = createServer({ cert, key }, (_, response) => {
      response.setHeader('connection', 'close').end(JSON.stringify(secret))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    open.push({ close: () => new Promise((resolve) => server.close(resolve)) })
    let bundle = ca.certPem
    const trust = trustFile({ path: 'ca.crt', clock: systemClock, readFile: async () => bundle })
    const config = {
      server: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
      trust,
      namespace: 'default',
      credentials: fixedIdentity({ headers: {} }),
    }
    const client = createKubeClient({ config, clock: systemClock, random: systemRandom, log: silentLog })
    open.push(client)
    const get = () => client.get(secrets, { namespace: 'ns', name: 's' })
    await get()
    const other = createCa({ ...base, commonName: 'other' })
    const renewed = issueCertificate(other, { ...base, commonName: 's', server: true, ipAddresses: ['127.0.0.1'] })
    server.setSecureContext({ cert: renewed.certPem, key: renewed.keyPem })
    await expect(get()).rejects.toThrow(/certificate/)
    bundle = `${ca.certPem}\n${other.certPem}`
    // No minute passes: the failure above has put the file in doubt.
    await get()
    // A write too, for it has not left before the certificate was refused.
    const third = createCa({ ...base, commonName: 'third' })
    const last = issueCertificate(third, { ...base, commonName: 's', server: true, ipAddresses: ['127.0.0.1'] })
    server.setSecureContext({ cert: last.certPem, key: last.keyPem })
    bundle = third.certPem
    await client.create(secrets, secret)
  })

  it('an exec plugin may give certificates, which are renewed when they expire; close ends one that hangs', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'coffer-plugin-'))
    open.push({ close: () => rm(folder, { recursive: true }) })
    const names: string[] = []
    const port = await listening((request, response) => {
      names.push(String((request.socket as import('node:tls').TLSSocket).getPeerCertificate().subject?.CN))
      response.end(JSON.stringify(secret))
    })
    const say = (commonName: string, expiresInMs: number) => {
      const { certPem, keyPem } = issueCertificate(ca, { ...base, commonName, client: true })
      const expirationTimestamp = new Date(Date.now() + expiresInMs).toISOString()
      const status = { clientCertificateData: certPem, clientKeyData: keyPem, expirationTimestamp }
      const credential = { kind: 'ExecCredential', apiVersion: 'client.authentication.k8s.io/v1', status }
      return writeFile(join(folder, 'says'), JSON.stringify(credential))
    }
    const plugin = {
      apiVersion: 'client.authentication.k8s.io/v1',
      command: '/bin/sh',
      args: ['-c', `echo $$ >> ${folder}/pids; test -e ${folder}/says && exec cat ${folder}/says; exec sleep 60`],
      env: {},
      inheritedEnv: { PATH: process.env['PATH'] },
    }
    const client = clientOf(port, execPlugin(plugin, systemClock))
    const get = () => client.get(secrets, { namespace: 'ns', name: 's' })
    // Ten seconds before its end a certificate is renewed: this one is always at that point.
    await say('first', 5000)
    await get()
    await say('second', 3_600_000)
    await get()
    await get()
    expect(names).toEqual(['first', 'second', 'second'])
    await rm(join(folder, 'says'))
    const hanging = clientOf(port, execPlugin(plugin, systemClock))
    const failed = expect(hanging.get(secrets, { namespace: 'ns', name: 's' })).rejects.toThrow('exec plugin /bin/sh')
    const pids = async () => (await readFile(join(folder, 'pids'), 'utf8')).trim().split('\n').map(Number)
    await eventually(async () => (await pids()).length === 3)
    await hanging.close()
    await failed
    const pid = (await pids()).at(-1) ?? 0
    await eventually(() => {
      try {
        return !process.kill(pid, 0)
      } catch {
        return true
      }
    })
  })

  it('a watch outlives a connection that is destroyed in the middle of a line', async () => {
    const asked: string[] = []
    const frame = (version: string) =>
      `${JSON.stringify({ type: 'MODIFIED', object: { ...secret, metadata: { ...secret.metadata, resourceVersion: version } } })}\n`
    const bookmark = `${JSON.stringify({ type: 'BOOKMARK', object: { apiVersion: 'v1', kind: 'Secret', metadata: { resourceVersion: '5', annotations: { 'k8s.io/initial-events-end': 'true' } } } })}\n`
    const port = await listening((request, response) => {
      asked.push(request.url ?? '')
      response.writeHead(200)
      if (asked.length > 1) return response.write(frame('7'))
      response.write(frame('5') + bookmark + frame('6') + frame('7').slice(0, 40))
      return setTimeout(() => response.destroy(), 50)
    })
    const stop = new AbortController()
    const versions: (string | undefined)[] = []
    const client = clientOf(port, fixedIdentity({ headers: {} }))
    for await (const event of client.watch(secrets, { namespace: 'ns' }, stop.signal)) {
      versions.push(event.type === 'synced' ? 'synced' : event.object.metadata.resourceVersion)
      if (versions.at(-1) === '7') stop.abort(new Error('enough'))
    }
    expect(versions).toEqual(['5', 'synced', '6', '7'])
    expect(asked[1]).toContain('resourceVersion=6')
  })
})

describe('admission server', () => {
  async function admission(): Promise<AdmissionServer & { state: { ready: boolean } }> {
    const state = { ready: false }
    const server = await startAdmissionServer({
      certificate: leaf(),
      handlers: { '/mutate': async (request) => ({ allowed: true, message: request.namespace }) },
      ready: () => state.ready,
      host: '127.0.0.1',
      port: 0,
      clock: systemClock,
      log: silentLog,
    })
    open.push(server)
    return { ...server, state }
  }

  const ask = (port: number, path: string, body?: string, caPem = ca.certPem) =>
    new Promise<{ status: number | undefined; text: string; serial: string }>((resolve, reject) => {
      const request = httpsRequest(
        { host: '127.0.0.1', port, path, method: body ? 'POST' : 'GET', ca: caPem, agent: false },
        (response) => {
          const serial = (response.socket as import('node:tls').TLSSocket).getPeerCertificate().serialNumber
          let text = ''
          response.on('data', (part) => {
            text += part
          })
          response.on('end', () => resolve({ status: response.statusCode, text, serial }))
        },
      )
      request.on('error', reject)
      request.setHeader('content-type', 'application/json')
      request.end(body)
    })

  it('answers reviews and says when it is ready', async () => {
    const { port, state } = await admission()
    expect((await ask(port, '/health/ready')).status).toBe(503)
    state.ready = true
    expect((await ask(port, '/health/ready')).status).toBe(204)
    expect((await ask(port, '/other')).status).toBe(404)
    expect((await ask(port, '/mutate')).status).toBe(405)
    const review = { kind: 'AdmissionReview', apiVersion: 'admission.k8s.io/v1', request: { uid: 'u', namespace: 'n' } }
    const answer = await ask(port, '/mutate?timeout=5s', JSON.stringify(review))
    expect(answer.status).toBe(200)
    expect(JSON.parse(answer.text)).toMatchObject({ response: { uid: 'u', allowed: true, status: { message: 'n' } } })
  })

  it('changes its certificate while it runs', async () => {
    const server = await admission()
    const before = await ask(server.port, '/health/ready')
    const other = createCa({ ...base, commonName: 'other' })
    server.setCertificate(
      issueCertificate(other, { ...base, commonName: 'x', server: true, ipAddresses: ['127.0.0.1'] }),
    )
    await expect(ask(server.port, '/health/ready')).rejects.toThrow(/certificate/)
    const after = await ask(server.port, '/health/ready', undefined, other.certPem)
    expect(after.serial).not.toBe(before.serial)
  })
})
