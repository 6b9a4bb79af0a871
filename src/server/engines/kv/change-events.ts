import type { JsonObject } from '../../../lib/json/value.ts'
import type { MountContext } from '../../contracts/mounted.ts'
import { configRow, type KeyChange } from './keys/key-row.ts'
import { findKey } from './keys/stored-key.ts'

const keyPrefix = 'key/'
type Version = 1 | 2

/**
 * Turns changed rows into Vault's events (https://developer.hashicorp.com/vault/docs/concepts/events). Several changes of a key
 * that arrive together are one event, with what the key says now.
 */
export class ChangeEvents {
  readonly #context: MountContext
  readonly #version: Version
  /** Events leave in the order in which the changes came. */
  #publishing: Promise<void> = Promise.resolve()

  constructor(context: MountContext, version: Version) {
    this.#context = context
    this.#version = version
  }

  changed(keys: readonly string[]): void {
    if (!this.#context.events.listened) return
    const rows = [...new Set(keys.filter((key) => key.startsWith(keyPrefix) || this.#isConfig(key)))]
    if (rows.length === 0) return
    this.#publishing = this.#publishing.then(() => this.#publish(rows))
  }

  #isConfig(row: string): boolean {
    return this.#version === 2 && row === configRow
  }

  /** Resolves when all changes so far are published. */
  settled(): Promise<void> {
    return this.#publishing
  }

  async #publish(rows: readonly string[]): Promise<void> {
    for (const row of rows) {
      try {
        await this.#publishOne(row)
      } catch (error) {
        // The subscriber polls as well; a lost notice delays, it loses nothing.
        this.#context.log.warn('kv.event_not_published', { mount: this.#context.mount.path, error: String(error) })
      }
    }
  }

  async #publishOne(row: string): Promise<void> {
    const { storage } = this.#context
    if (this.#isConfig(row)) return this.#send('config-write', 'config', 'config')
    const path = row.slice(keyPrefix.length)
    if (this.#version === 1) return this.#send((await storage.getBytes(row)) ? 'write' : 'delete', path, path)
    const state = (await findKey(storage, path))?.state
    const operation = state?.lastChange ?? 'metadata-delete'
    this.#send(operation, `${familyOf(operation)}/${path}`, `data/${path}`, {
      ...(state && {
        current_version: String(state.current.version),
        oldest_version: String(state.oldestVersion),
      }),
    })
  }

  /** Paths below the mount. */
  #send(operation: string, path: string, dataPath: string, more: JsonObject = {}): void {
    const { mount, events, namespace } = this.#context
    const shown = mount.path + dataPath
    events.publish({
      type: `kv-v${this.#version}/${operation}`,
      namespace,
      mount,
      dataPath: shown,
      metadata: { path: mount.path + path, data_path: shown, operation, modified: 'true', ...more },
    })
  }
}

/** The path family through which an operation comes. */
function familyOf(operation: KeyChange | 'metadata-delete'): string {
  if (operation === 'delete' || operation === 'undelete' || operation === 'destroy') return operation
  return operation.startsWith('metadata') ? 'metadata' : 'data'
}
