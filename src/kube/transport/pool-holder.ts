import type { Pool } from 'undici'
import type { Identity } from '../credentials/credential-source.ts'

export interface PoolOptions {
  readonly origin: string
  /** The name to verify, when it isn't the host of the server. */
  readonly serverName?: string
  readonly connectMs: number
}
interface Held {
  readonly pool: Pool
  readonly caPem: string | undefined
  readonly certPem: string | undefined
  readonly keyPem: string | undefined
}

/** One pool of connections for each pair of authorities and client certificate: renewed ones need new connections. */
export class PoolHolder {
  readonly #options: PoolOptions
  /** Their requests and watches go on until they end by themselves. */
  readonly #draining = new Set<Pool>()
  readonly #failedConnects = new WeakSet<Error>()
  #held: Held | undefined
  #closed = false

  constructor(options: PoolOptions) {
    this.#options = options
  }

  /** Undefined when closed. */
  pool(undici: typeof import('undici'), identity: Identity, caPem: string | undefined): Pool | undefined {
    if (this.#closed) return undefined
    const { certPem, keyPem } = identity
    const held = this.#held
    if (held && held.caPem === caPem && held.certPem === certPem && held.keyPem === keyPem) return held.pool
    const { origin, serverName, connectMs } = this.#options
    const connect = undici.buildConnector({
      timeout: connectMs,
      ...(caPem ? { ca: caPem } : {}),
      ...(serverName ? { servername: serverName } : {}),
      ...(certPem && keyPem ? { cert: certPem, key: keyPem } : {}),
    })
    const pool = new undici.Pool(origin, {
      // Watches hold a connection each, so their number has no limit; requests reuse idle ones.
      keepAliveTimeout: 30_000,
      pipelining: 1,
      connect: (options, callback) =>
        connect(options, (...[error, socket]) => {
          if (error) this.#failedConnects.add(error)
          if (error) callback(error, null)
          else callback(null, socket)
        }),
    })
    this.#held = { pool, caPem, certPem, keyPem }
    if (held) this.#drain(held.pool)
    return pool
  }

  /** Whether a request failed because there was no connection to send it on. */
  neverConnected(error: unknown): boolean {
    return error instanceof Error && this.#failedConnects.has(error)
  }

  async close(): Promise<void> {
    this.#closed = true
    const pools = [...this.#draining, ...(this.#held ? [this.#held.pool] : [])]
    await Promise.all(pools.map((pool) => pool.destroy()))
  }

  #drain(pool: Pool): void {
    this.#draining.add(pool)
    const drained = () => this.#draining.delete(pool)
    pool.close().then(drained, drained)
  }
}
