/** For tests: nodes of a server whose seal the test chooses, over one storage. */
import { FakeClock } from '../../../../lib/fake-clock.ts'
import { type Logger, silentLog } from '../../../../lib/log.ts'
import { systemRandom } from '../../../../lib/random.ts'
import { type Core, createCore } from '../../../../programs/server/core.ts'
import type { StorageBackend } from '../../../contracts/storage.ts'
import { inject } from '../../../http/handler.ts'
import { vaultTtl } from '../../../mounts/mount-json.ts'
import { openMemory } from '../../../storage/memory/memory.ts'
import type { ConfiguredSeals } from './node-seal.ts'

export interface SealServerOptions {
  readonly seals?: ConfiguredSeals
  readonly backend?: StorageBackend
  readonly clock?: FakeClock
  readonly unauthenticatedRekey?: () => boolean
  readonly log?: Logger
}

export class SealServer {
  readonly clock: FakeClock
  readonly backend: StorageBackend
  readonly core: Core
  root = ''

  constructor(options: SealServerOptions = {}) {
    this.clock = options.clock ?? new FakeClock()
    this.backend = options.backend ?? openMemory({ clock: this.clock, random: systemRandom })
    this.core = createCore({
      backend: this.backend,
      types: { find: () => undefined },
      auditDevices: {},
      outbound: { request: async () => Promise.reject(new Error('no outbound in tests')) },
      ttl: vaultTtl,
      clock: this.clock,
      random: systemRandom,
      log: options.log ?? silentLog,
      version: '2.6.0',
      cofferVersion: '0.1.0',
      node: 'test',
      ...(options.seals ? { seals: options.seals } : {}),
      ...(options.unauthenticatedRekey ? { unauthenticatedRekey: options.unauthenticatedRekey } : {}),
    })
  }

  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers freely
  async call(method: string, path: string, body?: unknown, token = this.root): Promise<{ status: number; body: any }> {
    const answer = await inject(this.core.handler, {
      method,
      path: `/v1/${path}`,
      headers: token === '' ? {} : { 'X-Vault-Token': token },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    return { status: answer.status, body: answer.body === '' ? undefined : JSON.parse(answer.body) }
  }

  /** Initialised and, with shares, unsealed by the first of them. */
  async init(body: Record<string, unknown>) {
    const answer = await this.call('PUT', 'sys/init', body, '')
    this.root = answer.body.root_token ?? ''
    return answer
  }

  async unseal(keys: readonly string[], migrate = false) {
    let last = { status: 0, body: undefined as unknown }
    for (const key of keys) last = await this.call('PUT', 'sys/unseal', { key, migrate }, '')
    return last
  }

  async sealed(): Promise<boolean> {
    return (await this.call('GET', 'sys/seal-status', undefined, '')).body.sealed
  }

  /** Another process over the same storage. */
  another(seals?: ConfiguredSeals, backend = this.backend): SealServer {
    const other = new SealServer({ backend, clock: this.clock, ...(seals ? { seals } : {}) })
    other.root = this.root
    return other
  }

  async close(): Promise<void> {
    const closing = this.core.close(0)
    await this.clock.advance(6000)
    await closing
  }
}
