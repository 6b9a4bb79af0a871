/** The built library as programs get it: dist/sdk.js with its declarations, against a real server, through a real proxy. */
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import net, { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemRandom } from '../../src/lib/random.ts'
import { createCa, issueCertificate } from '../../src/lib/x509/certificates.ts'
import { createNodeTransport } from '../../src/sdk/node-transport.ts'
import { root, startServer, type TestServer } from './server-process.ts'

const folder = mkdtempSync(join(tmpdir(), 'coffer-sdk-'))
const servers = new Set<net.Server>()
let server: TestServer
let programs = 0

beforeAll(async () => {
  server = await startServer()
  await server.request('POST', 'sys/mounts/secret', { type: 'kv', options: { version: '2' } })
})
afterAll(async () => {
  await server?.close()
  for (const one of servers) one.close()
  rmSync(folder, { recursive: true, force: true })
})

async function listening(one: net.Server): Promise<number> {
  servers.add(one)
  await new Promise<void>((resolve) => one.listen(0, '127.0.0.1', resolve))
  return (one.address() as AddressInfo).port
}

function program(source: string, env: Record<string, string> = {}) {
  programs += 1
  const file = join(folder, `${programs}.mjs`)
  writeFileSync(file, source)
  const child = spawn(process.execPath, [file], {
    env: { PATH: process.env['PATH'], VAULT_ADDR: server.url, VAULT_TOKEN: server.rootToken, ...env },
  })
  let out = ''
  let err = ''
  child.stdout.on('data', (data) => {
    out += data
  })
  child.stderr.on('data', (data) => {
    err += data
  })
  return new Promise<{ status: number | null; out: string; err: string }>((done, fail) => {
    child.on('error', fail)
    child.on('close', (status) => done({ status, out, err }))
  })
}

const entry = JSON.stringify(join(root, 'dist/sdk.js'))

const guide = readFileSync(join(root, 'docs/guides/sdk.md'), 'utf8')
const examples = [...guide.matchAll(/```js\n([\s\S]*?)```/g)].map(([, text = '']) => text)

describe('the library', () => {
  it('writes and reads, hears of the change, and lets the program end without close()', async () => {
    const { status, out, err } = await program(`
      import { connect } from ${entry}
      const coffer = connect({ address: process.env.VAULT_ADDR, token: process.env.VAULT_TOKEN })
      const stop = new AbortController()
      for await (const event of coffer.events('kv-v2/*', { signal: stop.signal })) {
        if (event === 'reset') await coffer.write('secret/data/sdk', { data: { k: 'v' } })
        else { console.log(event.path); stop.abort() }
      }
      console.log((await coffer.read('secret/data/sdk')).data.data.k, await coffer.read('secret/data/none'))
    `)
    expect({ status, out, err }).toEqual({ status: 0, out: 'secret/data/sdk\nv undefined\n', err: '' })
  })

  it('throws errors that a program can tell apart', async () => {
    const { status, out, err } = await program(`
      import { connect, ResponseError, TransportError } from ${entry}
      const refused = await connect({ address: process.env.VAULT_ADDR, token: 'canary' }).read('a').catch((e) => e)
      const cut = await connect({ address: 'http://127.0.0.1:1', maxRetries: 0 }).read('a').catch((e) => e)
      console.log(refused instanceof ResponseError, refused.status, refused.tokenInvalid, cut instanceof TransportError, cut.sent)
    `)
    expect({ status, out, err }).toEqual({ status: 0, out: 'true 403 true true false\n', err: '' })
  })

  it('has declarations that a strict compiler accepts, with every example of the guide', () => {
    const compile = typedProject()
    const use = `import { connect, kubernetesLogin, type Envelope } from 'coffer/sdk'
      const coffer = connect({ address: 'x', login: kubernetesLogin({ role: 'app' }) })
      const secret: Envelope | undefined = await coffer.read('secret/data/app')
      console.log(secret?.data?.['data'])`
    expect(compile([use])).toBe('')
    expect(compile([`${use}\n const wrong: number = secret`])).toContain('TS2322')
    const given = `import type { CofferClient as Client } from 'coffer/sdk'
      declare function usePassword(data: unknown): void
      declare function readEverything(): Promise<void>
      declare function readAgain(path: string): Promise<void>`
    const sources = examples.map((example) => {
      const names = [
        example.includes('const coffer =') ? '' : 'declare const coffer: Client',
        example.includes('const stop =') ? '' : 'declare const stop: AbortController',
      ]
      return [given, ...names, example].join('\n')
    })
    expect(sources.length).toBeGreaterThan(3)
    expect(compile(sources)).toBe('')
  })

  it('does what the guide’s example about errors says', async () => {
    const example = examples.find((one) => one.includes('ResponseError')) ?? ''
    const source = `${example}\nawait coffer.close()`.replace("'coffer/sdk'", entry)
    expect(await program(source)).toEqual({ status: 0, out: '', err: '' })
    const { out } = await program(`
      import { connect } from ${entry}
      const coffer = connect({ address: process.env.VAULT_ADDR, token: process.env.VAULT_TOKEN })
      console.log((await coffer.read('secret/data/app')).data.data.password)
    `)
    expect(out).toBe('new\n')
    const refused = await program(source, { VAULT_TOKEN: 'canary' })
    expect(refused).toEqual({ status: 0, out: '', err: "403 [ 'permission denied' ]\n" })
  })
})

/** A project of its own that has the built package in node_modules. -> what the compiler says. */
function typedProject() {
  const project = join(folder, 'typed')
  const modules = join(project, 'node_modules')
  mkdirSync(join(modules, 'coffer'), { recursive: true })
  for (const name of ['@types', 'undici-types']) symlinkSync(join(root, 'node_modules', name), join(modules, name))
  symlinkSync(join(root, 'dist'), join(modules, 'coffer/dist'))
  const sdk = { types: './dist/types/sdk/library/library.d.ts', default: './dist/sdk.js' }
  writeFileSync(join(modules, 'coffer/package.json'), JSON.stringify({ name: 'coffer', exports: { './sdk': sdk } }))
  const compilerOptions = { strict: true, module: 'nodenext', target: 'es2022', noEmit: true, types: ['node'] }
  return (sources: readonly string[]): string => {
    const files = sources.map((_, i) => `a${i}.mts`)
    sources.forEach((source, i) => {
      writeFileSync(join(project, `a${i}.mts`), source)
    })
    const config = { compilerOptions: { ...compilerOptions, preserveSymlinks: true }, files }
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify(config))
    try {
      const compiler = join(root, 'node_modules/typescript/bin/tsc')
      execFileSync(process.execPath, [compiler, '-p', project], { stdio: 'pipe' })
      return ''
    } catch (error) {
      return error instanceof Error && 'stdout' in error ? String(error.stdout) : String(error)
    }
  }
}

describe('a transport', () => {
  it('asks a plain server through a proxy, with the proxy’s password', async () => {
    const seen: unknown[] = []
    const proxy = http.createServer((request, response) => {
      seen.push(request.url, request.headers['proxy-authorization'], request.headers.host)
      response.end('{"data":{"via":"proxy"}}')
    })
    const port = await listening(proxy)
    const transport = createNodeTransport({
      address: 'http://vault.invalid:8200',
      proxy: `http://u:p%40@127.0.0.1:${port}`,
    })
    const answer = await transport.send({ method: 'GET', path: '/v1/a', headers: {} })
    expect(answer.body).toBe('{"data":{"via":"proxy"}}')
    const password = Buffer.from('u:p@').toString('base64')
    expect(seen).toEqual(['http://vault.invalid:8200/v1/a', `Basic ${password}`, 'vault.invalid:8200'])
    await transport.close?.()
  })

  it('asks a TLS server through a tunnel, and verifies the server, not the proxy', async () => {
    const life = { random: systemRandom, now: Date.now(), validForMs: 3_600_000 }
    const ca = createCa({ ...life, commonName: 'ca' })
    const names = { server: true, dnsNames: ['vault.invalid'] }
    const { certPem, keyPem } = issueCertificate(ca, { ...life, ...names, commonName: 'vault' })
    const behind = https.createServer({ cert: certPem, key: keyPem }, (_, response) => response.end('{"tls":true}'))
    const behindPort = await listening(behind)
    const asked: (string | undefined)[] = []
    const proxy = http.createServer()
    proxy.on('connect', (request, socket) => {
      asked.push(request.url)
      const there = net.connect(behindPort, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n')
        there.pipe(socket).pipe(there)
      })
      there.on('error', () => socket.destroy())
      socket.on('error', () => there.destroy())
    })
    const through = { address: 'https://vault.invalid', proxy: `http://127.0.0.1:${await listening(proxy)}` }
    const request = { method: 'GET', path: '/v1/a', headers: {} }
    const trusted = createNodeTransport({ ...through, caCertPem: ca.certPem })
    expect((await trusted.send(request)).body).toBe('{"tls":true}')
    const doubting = createNodeTransport(through)
    await expect(doubting.send(request)).rejects.toThrow('failed to verify certificate')
    const otherName = createNodeTransport({ ...through, address: 'https://other.invalid', caCertPem: ca.certPem })
    await expect(otherName.send(request)).rejects.toThrow('failed to verify certificate')
    expect(asked).toEqual(['vault.invalid:443', 'vault.invalid:443', 'other.invalid:443'])
  })

  it('names the proxy, without its password, when that refuses or is not there', async () => {
    const proxy = http.createServer()
    proxy.on('connect', (_, socket) => socket.end('HTTP/1.1 407 No\r\n\r\n'))
    const port = await listening(proxy)
    const ask = (address: string) =>
      createNodeTransport({ address: 'https://vault.invalid', proxy: address }).send({
        method: 'GET',
        path: '/v1/a',
        headers: {},
      })
    await expect(ask(`http://u:canary@127.0.0.1:${port}`)).rejects.toThrow(
      new RegExp(`^(?!.*canary).*proxy 127.0.0.1:${port}: it answered 407 to CONNECT`, 's'),
    )
    const plain = createNodeTransport({ address: 'http://vault.invalid', proxy: 'http://u:canary@127.0.0.1:1' })
    await expect(plain.send({ method: 'GET', path: '/v1/a', headers: {} })).rejects.toThrow(
      /^(?!.*canary).*proxy 127\.0\.0\.1:1: .*ECONNREFUSED/s,
    )
    await expect(ask('http://u:canary@127.0.0.1:1')).rejects.toThrow(
      /^(?!.*canary).*proxy 127\.0\.0\.1:1: .*ECONNREFUSED/s,
    )
  })

  it('follows a redirect on its own host once, unless that is disabled', async () => {
    const port = await listening(
      http.createServer((request, response) => {
        if (request.url === '/v1/there') response.end('{}')
        else response.writeHead(307, { Location: '/v1/there' }).end()
      }),
    )
    const address = `http://127.0.0.1:${port}`
    const request = { method: 'GET', path: '/v1/here', headers: {} }
    const follows = createNodeTransport({ address })
    expect((await follows.send(request)).status).toBe(200)
    await follows.close?.()
    const stays = createNodeTransport({ address, followRedirects: false })
    await expect(stays.send(request)).rejects.toThrow('redirects are disabled (VAULT_DISABLE_REDIRECTS)')
    await stays.close?.()
  })

  it("follows a redirect to another host with method, body and token, as Vault's clients", async () => {
    const seen: unknown[] = []
    const there = await listening(
      http.createServer(async (request, response) => {
        let body = ''
        for await (const part of request) body += part
        seen.push([request.method, request.url, request.headers['x-vault-token'], body])
        response.end('{}')
      }),
    )
    const here = await listening(
      http.createServer((request, response) => {
        request.resume()
        response.writeHead(307, { Location: `http://127.0.0.1:${there}/v1/b?c=d` }).end('elsewhere')
      }),
    )
    const request = { method: 'POST', path: '/v1/a', headers: { 'X-Vault-Token': 't' }, body: '{"a":1}' }
    const follows = createNodeTransport({ address: `http://127.0.0.1:${here}` })
    expect((await follows.send(request)).status).toBe(200)
    const read = { method: 'GET', path: '/v1/a', headers: {} }
    expect((await follows.stream?.(read))?.status).toBe(200)
    expect((await follows.transfer?.(read))?.status).toBe(200)
    expect(seen).toEqual([
      ['POST', '/v1/b?c=d', 't', '{"a":1}'],
      ['GET', '/v1/b?c=d', undefined, ''],
      ['GET', '/v1/b?c=d', undefined, ''],
    ])
    await follows.close?.()
    const own = createNodeTransport({ address: `http://127.0.0.1:${here}`, followRedirects: 'own host' })
    await expect(own.send(request)).rejects.toThrow(
      `http://127.0.0.1:${here} redirects (http://127.0.0.1:${there}), to another host: set the address to that server`,
    )
    await own.close?.()
    expect(seen).toHaveLength(3)
  })

  it('follows one redirect, not two, and none from https to http', async () => {
    let asked = 0
    const plain = await listening(
      http.createServer((_, response) => {
        asked += 1
        response.writeHead(307, { Location: '/v1/again' }).end()
      }),
    )
    const request = { method: 'GET', path: '/v1/a', headers: {} }
    const twice = createNodeTransport({ address: `http://127.0.0.1:${plain}` })
    expect((await twice.send(request)).status).toBe(307)
    expect(asked).toBe(2)
    await twice.close?.()
    const life = { random: systemRandom, now: Date.now(), validForMs: 60_000 }
    const ca = createCa({ ...life, commonName: 'ca' })
    const { certPem, keyPem } = issueCertificate(ca, {
      ...life,
      commonName: 'vault',
      ipAddresses: ['127.0.0.1'],
      server: true,
    })
    const secure = await listening(
      https.createServer({ cert: certPem, key: keyPem }, (_, response) => {
        response.writeHead(302, { Location: `http://127.0.0.1:${plain}/v1/a` }).end()
      }),
    )
    const down = createNodeTransport({ address: `https://127.0.0.1:${secure}`, caCertPem: ca.certPem })
    await expect(down.send(request)).rejects.toThrow('the redirect would cause protocol downgrade')
    expect(asked).toBe(2)
    await down.close?.()
  })

  it('streams an answer without end as it comes, longer than its time limit, until it is stopped', async () => {
    let say = (_: string) => {}
    const port = await listening(
      http.createServer((_, response) => {
        say = (text) => response.write(text)
        response.write('one\n')
      }),
    )
    const transport = createNodeTransport({ address: `http://127.0.0.1:${port}`, timeoutMs: 50 })
    const stop = new AbortController()
    const answer = await transport.stream?.({ method: 'GET', path: '/v1/sys/monitor', headers: {} }, stop.signal)
    const parts = answer?.body[Symbol.asyncIterator]()
    expect([answer?.status, (await parts?.next())?.value]).toEqual([200, 'one\n'])
    await new Promise((resolve) => setTimeout(resolve, 80))
    say('two\n')
    expect((await parts?.next())?.value).toBe('two\n')
    const next = parts?.next()
    stop.abort(new Error('enough'))
    await expect(next).rejects.toThrow()
    await transport.close?.()
  })

  it('finds the server by its SRV record when the address has no port', async () => {
    const port = await listening(http.createServer((_, response) => response.end('{"found":true}')))
    const names: string[] = []
    const resolveSrv = async (name: string) => {
      names.push(name)
      return [{ name: '127.0.0.1', port, priority: 1, weight: 1 }]
    }
    const transport = createNodeTransport({ address: 'http://vault.invalid', resolveSrv })
    const request = { method: 'GET', path: '/v1/a', headers: {} }
    expect((await transport.send(request)).body).toBe('{"found":true}')
    await transport.send(request)
    expect(names).toEqual(['_http._tcp.vault.invalid'])
    await transport.close?.()
  })
})
