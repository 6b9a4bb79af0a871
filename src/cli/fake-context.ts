import { Readable, Writable } from 'node:stream'
import { FakeClock } from '../lib/fake-clock.ts'
import { fakeTransport } from '../sdk/fake-transport.ts'
import type { NodeTransportOptions } from '../sdk/node-transport.ts'
import type { TransportRequest, TransportResponse } from '../sdk/transport.ts'
import type { LocalAudit } from './audit/local-audit.ts'
import type { CliContext } from './command.ts'
import { runCli } from './run.ts'

export interface CliRun {
  readonly status: number
  readonly out: string
  readonly err: string
  readonly requests: readonly TransportRequest[]
  readonly connected: readonly NodeTransportOptions[]
}

export interface CliRunOptions {
  readonly env?: Record<string, string>
  readonly stdin?: string | Readable
  readonly signal?: AbortSignal
  /** Absent: one that nobody moves. */
  readonly clock?: FakeClock
  readonly name?: 'coffer' | 'vault'
  readonly localPolicy?: CliContext['localPolicy']
  readonly openSocket?: CliContext['openSocket']
  answer?(request: TransportRequest): Partial<TransportResponse>
  localAudit?(): Promise<LocalAudit>
  readonly localServer?: CliContext['localServer']
  readonly localStorage?: CliContext['localStorage']
}

/** Runs one command line against a server that is a function. For tests. */
export async function runFake(argv: readonly string[], options: CliRunOptions = {}): Promise<CliRun> {
  const out = new Collected()
  const err = new Collected()
  const connected: NodeTransportOptions[] = []
  const transport = fakeTransport(options.answer ?? (() => ({ status: 204 })))
  const status = await runCli(argv, {
    name: options.name ?? 'vault',
    version: '0.0.0',
    stdin: options.stdin instanceof Readable ? options.stdin : Readable.from([options.stdin ?? '']),
    stdout: out,
    stderr: err,
    env: { VAULT_ADDR: 'http://127.0.0.1:8200', VAULT_MAX_RETRIES: '0', ...options.env },
    clock: options.clock ?? new FakeClock(),
    signal: options.signal ?? new AbortController().signal,
    ...(options.openSocket && { openSocket: options.openSocket }),
    ...(options.localServer && { localServer: options.localServer }),
    ...(options.localStorage && { localStorage: options.localStorage }),
    ...(options.localPolicy && { localPolicy: options.localPolicy }),
    openTransport: (given) => {
      connected.push(given)
      return transport
    },
    ...(options.localAudit ? { localAudit: options.localAudit } : {}),
  })
  return { status, out: out.text, err: err.text, requests: transport.requests, connected }
}

class Collected extends Writable {
  text = ''

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void) {
    this.text += chunk.toString()
    done()
  }
}
