/**
 * Authority is read through: one storage query per request tells whether everything that was compiled earlier still holds,
 * and brings the rows that the route asked for. Nothing here answers from memory alone.
 */
import { boundedCache } from '../../../lib/bounded-cache.ts'
import type { Standing } from '../../contracts/access/standing.ts'
import { epochKey, rootNamespace } from '../../contracts/epochs.ts'
import type { Rows } from '../../contracts/secret-storage.ts'
import type { ReadKey, ReadResult, Stored } from '../../contracts/storage.ts'
import type { MountView } from '../../mounts/mount-table.ts'
import type { NamespaceTable } from '../../namespaces/namespace-table.ts'
import type { NamespaceView } from '../../namespaces/namespace-view.ts'
import type { Acl } from '../../policies/acl.ts'
import { type LiveToken, liveToken } from '../../tokens/live-token.ts'
import { type TokenRow, tokenRowSchema } from '../../tokens/token-row.ts'
import type { TokenStore } from '../../tokens/token-store.ts'
import type { NamespaceNouns, NounsOf } from './namespace-nouns.ts'

export interface AuthorityOptions {
  readonly rows: Rows
  readonly namespaces: NamespaceTable
  readonly nounsOf: NounsOf
  readonly tokens: TokenStore
  /** Brings the audit devices and the quotas to what the epoch row of this version says. */
  readonly auditChanged?: (version: string) => Promise<void>
}

/** Put by sys/seal. A node that reads another version than at its unsealing must forget its keys. */
export const sealedKey = 'core/sealed'

/** What one read found out. */
export interface Findings {
  readonly namespaces: NamespaceView
  /** Of the request's namespace. */
  readonly mounts: MountView
  /** Undefined: none was given, or it is not (any more) a token. */
  readonly token: LiveToken | undefined
  /** Where the token is at home. */
  readonly home: NamespaceNouns | undefined
  /** Of that namespace; only for tokens that a login made or that are at home here. */
  readonly homeMounts: MountView | undefined
  readonly acl: Acl | undefined
  readonly sealed: boolean
  /** The route's rows, for the overlay. */
  readonly rows: Map<string, Stored | undefined>
}

interface Known {
  readonly token: LiveToken
  readonly home: NamespaceNouns
  readonly acl: Acl
  /** Everything that this rests on: its own row first (batch tokens have none), ancestors, policies, entity, groups. */
  readonly keys: readonly Required<ReadKey>[]
}

/** The one question of a request. */
interface Asked {
  readonly nouns: NamespaceNouns
  readonly token: string
  readonly known: Known | undefined
  readonly keys: readonly ReadKey[]
  readonly routeKeys: readonly string[]
  readonly firstRouteKey: number
}

const noRows: Map<string, Stored | undefined> = new Map()
const fixedKeys = 4

export class Authority {
  readonly #options: AuthorityOptions
  /** By the token itself; versions decide what counts, so this is only a cache of work. */
  readonly #known = boundedCache<string, Known>(10_000)
  readonly #auditKey = epochKey(rootNamespace.id, 'audit')
  #auditVersion = ''
  #sealedVersion: string | undefined

  constructor(options: AuthorityOptions) {
    this.#options = options
  }

  /** Called when the server seals. */
  forget(): void {
    this.#known.clear()
    this.#auditVersion = ''
    this.#sealedVersion = undefined
  }

  /** To be awaited when it returns a promise: makes sure that there is something to compare with. */
  prepare(): Promise<void> | undefined {
    const { tokens, namespaces } = this.#options
    if (tokens.ready && namespaces.knownVersion !== undefined && this.#sealedVersion !== undefined) return undefined
    return this.#open()
  }

  async #open(): Promise<void> {
    const { rows, tokens, namespaces } = this.#options
    const [row] = await rows.read([{ key: sealedKey }])
    this.#sealedVersion ??= versionOf(row, '')
    if (!tokens.ready) await tokens.open()
    if (namespaces.knownVersion === undefined) await namespaces.load()
  }

  /** Whether the cluster was sealed since this node was unsealed. */
  async sealedSince(): Promise<boolean> {
    if (this.#sealedVersion === undefined) return false
    const [row] = await this.#options.rows.read([{ key: sealedKey, known: this.#sealedVersion }])
    return this.#sealedVersion !== undefined && versionOf(row, this.#sealedVersion) !== this.#sealedVersion
  }

  /** A promise only where something has to be waited for: storage elsewhere, or what has changed. */
  read(nouns: NamespaceNouns, token: string, routeKeys: readonly string[]): Findings | Promise<Findings> {
    const { rows } = this.#options
    const asked = this.#asked(nouns, token, routeKeys)
    const found = rows.readNow?.(asked.keys)
    return found ? this.#findings(asked, found) : rows.read(asked.keys).then((later) => this.#findings(asked, later))
  }

  #asked(nouns: NamespaceNouns, token: string, routeKeys: readonly string[]): Asked {
    const { tokens, namespaces } = this.#options
    const known = token === '' ? undefined : this.#known.get(token)
    const keys: ReadKey[] = [
      { key: nouns.mounts.epochKey, known: nouns.mounts.knownVersion },
      { key: namespaces.epochKey, known: namespaces.knownVersion },
      { key: this.#auditKey, known: this.#auditVersion },
      { key: sealedKey, known: this.#sealedVersion },
    ]
    if (known) keys.push(...known.keys)
    else if (token !== '' && !tokens.isBatch(token)) keys.push({ key: tokens.rowKey(tokens.idOf(token)) })
    const firstRouteKey = keys.length
    for (const key of routeKeys) keys.push({ key })
    return { nouns, token, known, keys, routeKeys, firstRouteKey }
  }

  #findings(asked: Asked, found: readonly ReadResult[]): Findings | Promise<Findings> {
    const { nouns, token, known, keys, routeKeys, firstRouteKey } = asked
    // What nearly every request finds: nothing has changed.
    const current = (token === '' || known !== undefined) && allSame(keys, found, 0, firstRouteKey)
    if (!current || (known && known.home !== nouns)) return this.#changed(asked, found)
    const mounts = nouns.mounts.known
    return {
      namespaces: this.#options.namespaces.known,
      mounts,
      token: known?.token,
      home: known?.home,
      homeMounts: known && mounts,
      acl: known?.acl,
      sealed: false,
      rows: overlayRows(routeKeys, found, firstRouteKey),
    }
  }

  async #changed(asked: Asked, found: readonly ReadResult[]): Promise<Findings> {
    const { rows, namespaces } = this.#options
    const { nouns, token, known, keys, routeKeys, firstRouteKey } = asked
    const auditVersion = versionOf(found[2], this.#auditVersion)
    if (auditVersion !== this.#auditVersion) await this.#auditMoved(auditVersion)
    const sealed = versionOf(found[3], this.#sealedVersion ?? '') !== this.#sealedVersion
    const mounts = nouns.mounts.at(versionOf(found[0], nouns.mounts.knownVersion ?? ''))
    const tree = namespaces.at(versionOf(found[1], namespaces.knownVersion ?? ''))
    const view = mounts instanceof Promise ? await mounts : mounts
    const entry =
      token === ''
        ? undefined
        : known && allSame(keys, found, fixedKeys, firstRouteKey)
          ? known
          : await this.#anew(token, found[fixedKeys], known)
    return {
      namespaces: tree instanceof Promise ? await tree : tree,
      mounts: view,
      token: entry?.token,
      home: entry?.home,
      homeMounts:
        entry &&
        (entry.home === nouns ? view : entry.token.row.login ? await currentMounts(rows, entry.home) : undefined),
      acl: entry?.acl,
      sealed,
      rows: overlayRows(routeKeys, found, firstRouteKey),
    }
  }

  /** What an entity adds to a token that is being made now; undefined: no such entity. */
  async standingOf({ info, identity }: NamespaceNouns, entityId: string): Promise<Standing | undefined> {
    const keys = [identity.entityKey(entityId), epochKey(info.id, 'groups')]
    const [entity, groups] = await this.#options.rows.read(keys.map((key) => ({ key })))
    if (entity === undefined || entity === 'same') return undefined
    return identity.standing(entityId, entity, versionOf(groups, ''))
  }

  async #auditMoved(version: string): Promise<void> {
    await this.#options.auditChanged?.(version)
    this.#auditVersion = version
  }

  /** `first`: what was read at the place of the token's own row. */
  async #anew(token: string, first: ReadResult, known: Known | undefined): Promise<Known | undefined> {
    const { tokens } = this.#options
    const batch = tokens.isBatch(token)
    const id = tokens.idOf(token)
    const own = {
      key: tokens.rowKey(id),
      known: first === 'same' ? (known?.keys[0]?.known ?? '') : versionOf(first, ''),
    }
    const row = batch ? tokens.openBatch(token) : first === 'same' ? known?.token.row : rowOf(first)
    const entry = row && !row.closing ? await this.#compile(id, row, batch ? [] : [own]) : undefined
    if (entry) this.#known.set(token, entry)
    else this.#known.delete(token)
    return entry
  }

  /** Undefined for a token that is not one any more: an ancestor or its entity is gone. */
  async #compile(id: string, row: TokenRow, own: readonly Required<ReadKey>[]): Promise<Known | undefined> {
    const { rows, tokens, namespaces, nounsOf } = this.#options
    const info = namespaces.known.byId(row.namespace) ?? (await namespaces.load()).byId(row.namespace)
    if (!info) return undefined
    const home = nounsOf(info)
    const ancestors = row.ancestors.map((ancestor) => tokens.rowKey(ancestor))
    const policies = epochKey(info.id, 'policies')
    const entity = row.entityId === '' ? [] : [home.identity.entityKey(row.entityId), epochKey(info.id, 'groups')]
    const wanted = [...ancestors, policies, ...entity]
    const found = await rows.read(wanted.map((key) => ({ key })))
    if (found.slice(0, ancestors.length).some((ancestor) => ancestor === undefined)) return undefined
    const versions = wanted.map((key, i) => ({ key, known: versionOf(found[i], '') }))
    const versionAt = (i: number) => versions[i]?.known ?? ''
    let standing: Standing | undefined
    if (row.entityId !== '') {
      const stored = found[ancestors.length + 1]
      if (stored === undefined || stored === 'same') return undefined
      standing = await home.identity.standing(row.entityId, stored, versionAt(ancestors.length + 2))
      if (standing.disabled) return undefined
    }
    const token = liveToken(id, row, standing)
    const depends = standing?.depends ?? []
    const rest = [...versions, ...depends]
    const acl = await home.policies.acl(
      token.caller.policies,
      versionAt(ancestors.length),
      standing && {
        key: `${row.entityId} ${rest
          .slice(ancestors.length + 1)
          .map((k) => k.known)
          .join(' ')}`,
        template: standing.template,
      },
    )
    return { token, home, acl, keys: [...own, ...rest] }
  }
}

const rowOf = (result: ReadResult): TokenRow | undefined =>
  result === undefined || result === 'same'
    ? undefined
    : tokenRowSchema.parse(JSON.parse(Buffer.from(result.value).toString()))

/** A row that was absent before and still is counts as the same. */
function allSame(keys: readonly ReadKey[], found: readonly ReadResult[], from: number, to: number): boolean {
  for (let i = from; i < to; i += 1) {
    const result = found[i]
    if (result !== 'same' && (result !== undefined || keys[i]?.known !== '')) return false
  }
  return true
}

/** A token from elsewhere: whether the mount that made it still stands is asked in its own namespace. */
async function currentMounts(rows: Rows, { mounts }: NamespaceNouns): Promise<MountView> {
  const [row] = await rows.read([{ key: mounts.epochKey, known: mounts.knownVersion }])
  return mounts.at(versionOf(row, mounts.knownVersion ?? ''))
}

const versionOf = (result: ReadResult, known: string) =>
  result === 'same' ? known : result === undefined ? '' : result.version

function overlayRows(
  keys: readonly string[],
  found: readonly ReadResult[],
  first: number,
): Map<string, Stored | undefined> {
  if (keys.length === 0) return noRows
  const out = new Map<string, Stored | undefined>()
  keys.forEach((key, i) => {
    const row = found[first + i]
    if (row !== 'same') out.set(key, row)
  })
  return out
}
