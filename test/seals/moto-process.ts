/** moto in a process of its own, and a relay before it that can be away while moto keeps its keys. */
import { spawn } from 'node:child_process'
import { createServer, connect as dial, type Server, type Socket } from 'node:net'
import { KMSClient } from '@aws-sdk/client-kms'
import { expect } from 'vitest'
import { everythingBelow, type TestServer } from '../e2e/server-process.ts'
import { motoServer } from './moto.mjs'

export interface Moto {
  /** What the server under test is given. */
  readonly endpoint: string
  /** For the test itself, straight to moto. */
  readonly kms: KMSClient
  /** What came through to moto since the last call of this, as it came. */
  asked(): string
  /** Connections are refused, those that are open are cut. */
  away(): Promise<void>
  back(): Promise<void>
  close(): Promise<void>
}

export const credentials = { accessKeyId: 'AKIACANARYCANARYCANA', secretAccessKey: 'canary-secret-access-key' }
export const region = 'eu-central-1'

export async function startMoto(): Promise<Moto> {
  const child = spawn(motoServer, ['-H', '127.0.0.1', '-p', '0'], { stdio: ['ignore', 'pipe', 'pipe'] })
  const gone = new Promise<void>((done) => child.once('exit', () => done()))
  const address = await new Promise<URL>((done, fail) => {
    let output = ''
    const listen = (data: unknown) => {
      output += String(data)
      const url = /Running on (http:\/\/127\.0\.0\.1:\d+)/.exec(output)?.[1]
      if (url) done(new URL(url))
    }
    child.stdout.on('data', listen)
    child.stderr.on('data', listen)
    child.once('exit', (code) => fail(new Error(`moto ended with ${code}:\n${output.slice(-2000)}`)))
    child.once('error', fail)
  })
  const relay = new Relay(Number(address.port))
  await relay.open()
  const kms = new KMSClient({ endpoint: address.href, region, credentials })
  return {
    endpoint: `http://127.0.0.1:${relay.port}`,
    kms,
    asked: () => relay.passed.splice(0).join(''),
    away: () => relay.close(),
    back: () => relay.open(),
    close: async () => {
      kms.destroy()
      await relay.close()
      child.kill('SIGTERM')
      await gone
    },
  }
}

/** Ends the servers; nothing that they printed or stored has the credentials, but what they were configured with. */
export async function closeWithoutTraces(servers: TestServer[]): Promise<void> {
  for (const server of servers.splice(0)) {
    const found = everythingBelow(server.dir).filter(({ path }) => !path.endsWith('server.hcl'))
    const texts = [server.output(), ...found.map(({ text }) => text)].join('\n')
    expect(texts).not.toContain(credentials.secretAccessKey)
    expect(texts).not.toContain(credentials.accessKeyId)
    await server.close()
  }
}

class Relay {
  port = 0
  readonly passed: string[] = []
  readonly #to: number
  readonly #sockets = new Set<Socket>()
  #server: Server | undefined

  constructor(to: number) {
    this.#to = to
  }

  async open(): Promise<void> {
    const server = createServer((from) => {
      const to = dial(this.#to, '127.0.0.1')
      from.on('data', (data) => this.passed.push(data.toString('latin1')))
      for (const [one, other] of [
        [from, to],
        [to, from],
      ] as const) {
        this.#sockets.add(one)
        one.on('error', () => other.destroy())
        one.on('close', () => {
          this.#sockets.delete(one)
          other.destroy()
        })
        one.pipe(other)
      }
    })
    await new Promise<void>((done, fail) => {
      server.once('error', fail)
      server.listen(this.port, '127.0.0.1', done)
    })
    const address = server.address()
    if (address && typeof address === 'object') this.port = address.port
    this.#server = server
  }

  async close(): Promise<void> {
    const server = this.#server
    if (!server) return
    this.#server = undefined
    const closed = new Promise((done) => server.close(done))
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }
}
