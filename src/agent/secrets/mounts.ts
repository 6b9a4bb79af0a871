import type { VaultClient } from '../../sdk/client.ts'
import { isObject } from '../../sdk/envelope.ts'
import { ResponseError } from '../../sdk/response-error.ts'
import type { SecretRequest } from './request.ts'

export interface Mount {
  /** "secret/" */
  readonly path: string
  readonly kv2: boolean
}

/** Which engine answers a path: KV version 2 keeps its data below data/, and templates may leave that out. */
export class Mounts {
  readonly #client: VaultClient
  readonly #known = new Map<string, Mount>()

  constructor(o: { client: VaultClient }) {
    this.#client = o.client
  }

  /** Undefined when the token may not ask, or nothing is mounted there: the path is used as it is. */
  async of(path: string, options: { token: string; signal: AbortSignal }): Promise<Mount | undefined> {
    for (const mount of this.#known.values()) if (`${path}/`.startsWith(mount.path)) return mount
    try {
      const envelope = await this.#client.read(`sys/internal/ui/mounts/${path}`, undefined, options)
      const data = envelope?.data
      if (!data || typeof data['path'] !== 'string') return undefined
      const version = isObject(data['options']) ? data['options']['version'] : undefined
      const mount = { path: data['path'], kv2: data['type'] === 'kv' && String(version) === '2' }
      this.#known.set(mount.path, mount)
      return mount
    } catch (error) {
      if (!(error instanceof ResponseError) || error.tokenInvalid) throw error
      if (error.status === 403 || error.status === 404) return undefined
      throw error
    }
  }
}

/** The path on the wire. */
export function wirePath(request: SecretRequest, mount: Mount | undefined): string {
  if (!mount?.kv2) return request.path
  const rest = request.path.slice(mount.path.length)
  if (/^(?:data|metadata|subkeys|delete|undelete|destroy|config)(?:\/|$)/.test(rest)) return request.path
  return `${mount.path}${request.kind === 'list' ? 'metadata' : 'data'}${rest === '' ? '' : `/${rest}`}`
}

/** The secret that a path of a KV version 2 mount speaks of: "my-app/config" of "secret/data/my-app/config". */
export const kv2Name = (path: string, mountPath: string): string =>
  path.slice(mountPath.length).replace(/^(?:data|metadata|subkeys|delete|undelete|destroy)(?:\/|$)/, '')
