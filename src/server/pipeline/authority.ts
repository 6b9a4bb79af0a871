/**
 * Authority is read through: one storage query per request tells whether everything that was compiled earlier still holds,
 * and brings the rows that the route asked for. Nothing here answers from memory alone.
 */
import { LRUCache } from 'lru-cache'
import { epochKey, rootNamespace } from '../contracts/epochs.ts'
import type { Rows } from '../contracts/secret-storage.ts'
import type { ReadKey, ReadResult, Stored } from '../contracts/storage.ts'
import type { MountTable, MountView } from '../mounts/mount-table.ts'
import type { Acl } from '../policies/acl.ts'
import type { PolicyStore } from '../policies/policy-store.ts'
import { type LiveToken, liveToken } from '../tokens/live-token.ts'
import { tokenRowSchema } from '../tokens/token-row.ts'
import type { TokenStore } from '../tokens/token-store.ts'

export interface AuthorityOptions {
  readonly rows: Rows
  readonly mounts: MountTable
  readonly tokens: TokenStore
  readonly policies: PolicyStore
  /** Brings the audit devices to what the epoch row of this version says. */
  readonly auditChanged?: (version: string) => Promise<void>
}

/** Put by sys/seal. A node that reads another version than at its unsealing must forget its keys. */
export const sealedKey = 'core/sealed'

/** What one read found out. */
export interface Findings {
  readonly mounts: MountView
  /** Undefined: none was given, or it is not (any more) a token. */
  readonly token: LiveToken | undefined
  readonly acl: Acl | undefined
  readonly sealed: boolean
  /** The route's rows, for the overlay. */
  readonly rows: Map<string, Stored | undefined>
}

interface Known {
  token: LiveToken
  version: string
  ancestors: ReadKey[]
  aclVersion: string
  acl: Acl
}

const noRows: Map<string, Stored | undefined> = new Map()
const fixedKeys = 4

export class Authority {
  readonly #options: AuthorityOptions
  /** By the token itself; versions decide what counts, so this is only a cache of work. */
  readonly #known = new LRUCache<string, Known>({ max: 10_000 })
  readonly #policiesKey = epochKey(rootNamespace.id, 'policies')
  readonly #auditKey = epochKey(rootNamespace.id, 'audit')
  #policiesVersion = ''
  #auditVersion = ''
  #sealedVersion: string | undefined

  constructor(options: AuthorityOptions) {
    this.#options = options
  }

  /** Called when the server seals. */
  forget(): void {
    this.#known.clear()
    this.#policiesVersion = ''
    this.#auditVersion = ''
    this.#sealedVersion = undefined
  }

  /** To be awaited when it returns a promise: makes sure that there is something to compare with. */
  prepare(): Promise<void> | undefined {
    const { tokens, mounts } = this.#options
    if (tokens.ready && mounts.knownVersion !== undefined && this.#sealedVersion !== undefined) return undefined
    return this.#open()
  }

  async #open(): Promise<void> {
    const { rows, tokens, mounts } = this.#options
    const [row] = await rows.read([{ key: sealedKey }])
    this.#sealedVersion ??= versionOf(row, '')
    if (!tokens.ready) await tokens.open()
    if (mounts.knownVersion === undefined) await mounts.load()
  }

  async read(token: string, routeKeys: readonly string[]): Promise<Findings> {
    const { rows, tokens, mounts } = this.#options
    const known = token === '' ? undefined : this.#known.get(token)
    const id = token === '' ? '' : (known?.token.id ?? tokens.idOf(token))
    const keys: ReadKey[] = [
      { key: mounts.epochKey, known: mounts.knownVersion },
      { key: this.#policiesKey, known: this.#policiesVersion },
      { key: this.#auditKey, known: this.#auditVersion },
      { key: sealedKey, known: this.#sealedVersion },
    ]
    if (id !== '') keys.push({ key: tokens.rowKey(id), known: known?.version })
    if (known) keys.push(...known.ancestors)
    const firstRouteKey = keys.length
    for (const key of routeKeys) keys.push({ key })
    const found = await rows.read(keys)

    const mountsVersion = versionOf(found[0], mounts.knownVersion ?? '')
    const policiesVersion = versionOf(found[1], this.#policiesVersion)
    const auditVersion = versionOf(found[2], this.#auditVersion)
    this.#policiesVersion = policiesVersion
    if (auditVersion !== this.#auditVersion) await this.#auditMoved(auditVersion)
    const sealed = versionOf(found[3], this.#sealedVersion ?? '') !== this.#sealedVersion
    const view = mounts.at(mountsVersion)
    const current =
      id === '' ? undefined : this.#settle(token, id, known, found.slice(fixedKeys, firstRouteKey), policiesVersion)
    const entry = current instanceof Promise ? await current : current
    return {
      mounts: view instanceof Promise ? await view : view,
      token: entry?.token,
      acl: entry?.acl,
      sealed,
      rows: routeKeys.length === 0 ? noRows : overlayRows(routeKeys, found, firstRouteKey),
    }
  }

  async #auditMoved(version: string): Promise<void> {
    await this.#options.auditChanged?.(version)
    this.#auditVersion = version
  }

  /** `found`: the token's row, then its ancestors' if they were known. */
  #settle(
    token: string,
    id: string,
    known: Known | undefined,
    found: readonly ReadResult[],
    policiesVersion: string,
  ): Known | undefined | Promise<Known | undefined> {
    const [row, ...ancestors] = found
    if (known && row === 'same' && known.aclVersion === policiesVersion && ancestors.every((a) => a === 'same'))
      return known
    return this.#anew(token, id, known, row, ancestors, policiesVersion)
  }

  async #anew(
    token: string,
    id: string,
    known: Known | undefined,
    row: ReadResult,
    ancestors: readonly ReadResult[],
    policiesVersion: string,
  ): Promise<Known | undefined> {
    const { rows, tokens, policies } = this.#options
    if (row === undefined) return this.#dead(token)
    const live =
      row === 'same' ? known?.token : liveToken(id, tokenRowSchema.parse(JSON.parse(Buffer.from(row.value).toString())))
    if (!live || live.row.closing) return this.#dead(token)
    const version = row === 'same' ? (known?.version ?? '') : row.version
    const asked = known && row === 'same'
    const keys = live.row.ancestors.map((ancestor) => ({ key: tokens.rowKey(ancestor) }))
    const results = asked ? ancestors : keys.length > 0 ? await rows.read(keys) : []
    if (results.some((result) => result === undefined)) return this.#dead(token)
    const entry: Known = {
      token: live,
      version,
      ancestors: keys.map(({ key }, i) => ({ key, known: versionOf(results[i], known?.ancestors[i]?.known ?? '') })),
      aclVersion: policiesVersion,
      acl: await policies.acl(live.row.policies, policiesVersion),
    }
    this.#known.set(token, entry)
    return entry
  }

  #dead(token: string): undefined {
    this.#known.delete(token)
    return undefined
  }
}

const versionOf = (result: ReadResult, known: string) =>
  result === 'same' ? known : result === undefined ? '' : result.version

function overlayRows(
  keys: readonly string[],
  found: readonly ReadResult[],
  first: number,
): Map<string, Stored | undefined> {
  const out = new Map<string, Stored | undefined>()
  keys.forEach((key, i) => {
    const row = found[first + i]
    if (row !== 'same') out.set(key, row)
  })
  return out
}
