import { Socket } from 'node:net'
import type { Client } from 'pg'
import type { Clock } from '../../../../lib/clock.ts'
import type { Column } from '../encoding.ts'
import { type ConnectionTarget, type Host, tlsOptions } from './connection-url.ts'
import { Cut, failureOf, Rejected } from './failures.ts'

export type Row = readonly Column[]
export type Parameter = string | Buffer

export interface SessionOptions {
  readonly target: ConnectionTarget
  /** Asked anew for each connection: passwords rotate. */
  readonly password: () => Promise<string | undefined>
  readonly clock: Clock
}

/** Answers come as PostgreSQL's text. */
const asText = { getTypeParser: () => (text: string) => text }
const keepAliveMs = 10_000

/** One connection. Nothing is kept in it between statements, so it may lead through a pooler in transaction mode. */
export class Session {
  readonly where: string
  readonly #client: Client
  readonly #socket: Socket
  readonly #clock: Clock
  #lost: Error | undefined
  #onLost: () => void = () => undefined

  private constructor(client: Client, socket: Socket, clock: Clock, where: string) {
    this.#client = client
    this.#socket = socket
    this.#clock = clock
    this.where = where
    client.on('error', (error) => this.#lose(error))
    client.on('end', () => this.#lose(new Error('the connection ended')))
  }

  /** Rejects with Cut or Rejected. */
  static async open(host: Host, options: SessionOptions): Promise<Session> {
    const { target, clock } = options
    const { Client: PgClient } = await import('pg')
    const socket = new Socket()
    const password = await options.password()
    const client = new PgClient({
      host: host.host,
      port: host.port,
      user: target.user,
      database: target.database,
      // Not undefined, or it would look for ~/.pgpass.
      password: password ?? '',
      ssl: tlsOptions(target),
      application_name: target.applicationName,
      connectionTimeoutMillis: target.connectTimeoutMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: keepAliveMs,
      stream: () => socket,
    })
    const session = new Session(client, socket, clock, placeOf(host))
    try {
      await client.connect()
      return session
    } catch (error) {
      socket.destroy()
      throw failureOf(error)
    }
  }

  get lost(): boolean {
    return this.#lost !== undefined
  }

  /** Told once when the connection breaks. */
  whenLost(tell: () => void): void {
    this.#onLost = tell
    if (this.#lost) tell()
  }

  /** Rejects with Cut, after which the session is lost, or Rejected. */
  async query(text: string, values: readonly Parameter[], deadlineMs: number): Promise<Row[]> {
    if (this.#lost) throw new Cut(this.#lost.message)
    let late = false
    const cancel = this.#clock.after(deadlineMs, () => {
      late = true
      this.#socket.destroy()
    })
    try {
      const query = { text, values: [...values], rowMode: 'array' as const, types: asText }
      const result = await this.#client.query<Column[]>(query)
      return result.rows
    } catch (error) {
      const failure = late ? new Cut(`no answer within ${Math.round(deadlineMs / 1000)} s`) : failureOf(error)
      if (failure instanceof Cut || (failure instanceof Rejected && failure.code === '25006')) this.destroy()
      throw failure
    } finally {
      cancel()
    }
  }

  destroy(): void {
    this.#socket.destroy()
    this.#lose(new Error('the connection was closed'))
  }

  /** Says goodbye, so that the server does not log a lost connection. */
  async end(): Promise<void> {
    const cancel = this.#clock.after(1000, () => this.#socket.destroy())
    await this.#client.end().catch(() => undefined)
    cancel()
    this.#socket.destroy()
  }

  #lose(error: Error): void {
    if (this.#lost) return
    this.#lost = error
    this.#onLost()
  }
}

const placeOf = ({ host, port }: Host) =>
  host.startsWith('/') ? host : `${host.includes(':') ? `[${host}]` : host}:${port}`
