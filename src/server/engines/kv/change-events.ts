import type { MountContext } from '../../contracts/mounted.ts'
import { decodeKey, type KeyState } from './key-row.ts'

const keyPrefix = 'key/'

/**
 * Turns changed rows into Vault's events (https://developer.hashicorp.com/vault/docs/concepts/events). Several changes of a key
 * that arrive together are one event, with what the key says now.
 */
export class ChangeEvents {
  readonly #context: MountContext
  /** Events leave in the order in which the changes came. */
  #publishing: Promise<void> = Promise.resolve()

  constructor(context: MountContext) {
    this.#context = context
  }

  changed(keys: readonly string[]): void {
    if (!this.#context.events.listened) return
    const paths = [
      ...new Set(keys.filter((key) => key.startsWith(keyPrefix)).map((key) => key.slice(keyPrefix.length))),
    ]
    if (paths.length === 0) return
    this.#publishing = this.#publishing.then(() => this.#publish(paths))
  }

  /** Resolves when all changes so far are published. */
  settled(): Promise<void> {
    return this.#publishing
  }

  async #publish(paths: readonly string[]): Promise<void> {
    for (const path of paths) {
      try {
        const bytes = await this.#context.storage.getBytes(keyPrefix + path)
        this.#send(path, bytes && decodeKey(bytes).state)
      } catch (error) {
        // The subscriber polls as well; a lost notice delays, it loses nothing.
        this.#context.log.warn('kv.event_not_published', { mount: this.#context.mount.path, error: String(error) })
      }
    }
  }

  #send(path: string, state: KeyState | undefined): void {
    const { mount, events } = this.#context
    const operation = state?.lastChange ?? 'metadata-delete'
    const dataPath = `${mount.path}data/${path}`
    events.publish({
      type: `kv-v2/${operation}`,
      mount,
      dataPath,
      metadata: {
        path: `${mount.path}${familyOf(operation)}/${path}`,
        data_path: dataPath,
        operation,
        modified: 'true',
        ...(state && {
          current_version: String(state.current.version),
          oldest_version: String(state.oldestVersion),
        }),
      },
    })
  }
}

/** The path family through which an operation comes. */
function familyOf(operation: string): string {
  if (operation === 'undelete' || operation === 'destroy') return operation
  return operation.startsWith('metadata') ? 'metadata' : 'data'
}
