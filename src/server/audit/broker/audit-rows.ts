/** What the broker keeps in storage: devices, audited headers, the chain key and the heads of chains. */
import type { RandomBytes } from '../../../lib/random.ts'
import { rootNamespace } from '../../contracts/epochs.ts'
import type { Rows, SecretStorage, Tx } from '../../contracts/secret-storage.ts'

export interface DeviceRow {
  readonly format: 1
  readonly type: string
  readonly description: string
  readonly options: Readonly<Record<string, string>>
  readonly local: boolean
  /** By the server's configuration: only that changes and removes it. */
  readonly declared: boolean
  /** Base64; hashes of a device stay comparable over restarts and nodes. */
  readonly salt: string
}

/** Where a chain stands. Storage is up to a second behind a live chain. */
export interface ChainRow {
  readonly format: 1
  readonly device: string
  readonly node: string
  readonly openedAt: number
  /** When this was recorded. */
  readonly at: number
  readonly seq: number
  /** Hex: the HMAC of line `seq`, which the next line carries as `prev`. */
  readonly mac: string
  readonly closed: boolean
}

export interface Evidence {
  /** Of the links between lines. */
  readonly key: Uint8Array
  readonly heads: readonly (ChainRow & { readonly chain: string })[]
}

const base = `ns/${rootNamespace.id}/audit/`
const pageSize = 500

export function deviceView(rows: Rows): SecretStorage {
  return rows.view(`${base}device/`)
}

export function chainView(rows: Rows): SecretStorage {
  return rows.view(`${base}chain/`)
}

export function settingsView(rows: Rows): SecretStorage {
  return rows.view(`${base}settings/`)
}

function record(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || !('format' in value) || value.format !== 1) {
    throw new Error(`not ${what}`)
  }
  return { ...value }
}

export const deviceSchema = {
  parse(value: unknown): DeviceRow {
    const row = record(value, 'an audit device row') as Partial<DeviceRow>
    if (typeof row.type !== 'string' || typeof row.salt !== 'string') throw new Error('not an audit device row')
    const { type, salt, description = '', options = {}, local = false, declared = false } = row
    return { ...row, format: 1, type, salt, description, options, local, declared }
  },
}

export const chainSchema = {
  parse(value: unknown): ChainRow {
    const row = record(value, 'an audit chain row') as Partial<ChainRow>
    const { device = '', node = '', openedAt = 0, at = openedAt, seq = 0, mac = '', closed = false } = row
    return { ...row, format: 1, device, node, openedAt, at, seq, mac, closed }
  },
}

/** Header name -> whether its values are hashed. */
export const headersSchema = {
  parse(value: unknown): Record<string, boolean> {
    const { headers } = record(value, 'a row of audited headers')
    return Object.fromEntries(Object.entries(headers ?? {}).map(([name, hmac]) => [name, hmac === true]))
  },
}

const keySchema = {
  parse(value: unknown): Uint8Array {
    const { key } = record(value, 'an audit key row')
    if (typeof key !== 'string') throw new Error('not an audit key row')
    return Buffer.from(key, 'base64')
  },
}

/** The key of all chains, made by whoever asks first. */
export async function chainKey(rows: Rows, random: RandomBytes): Promise<Uint8Array> {
  const view = settingsView(rows)
  const known = await view.get('chain-key', keySchema)
  if (known) return known
  return view.transaction(async (tx: Tx) => {
    const raced = await tx.get(view, 'chain-key', keySchema)
    if (raced) return raced
    const made = Buffer.from(random(32))
    tx.create(view, 'chain-key', { format: 1, key: made.toString('base64') })
    return made
  })
}

export async function allKeys(view: SecretStorage): Promise<string[]> {
  const keys: string[] = []
  for (;;) {
    const after = keys.at(-1)
    const page = await view.list('', { depth: 'all', limit: pageSize, ...(after !== undefined && { after }) })
    keys.push(...page)
    if (page.length < pageSize) return keys
  }
}

export async function readChains(rows: Rows): Promise<(ChainRow & { readonly chain: string })[]> {
  const view = chainView(rows)
  const chains = await allKeys(view)
  const heads: (ChainRow & { readonly chain: string })[] = []
  for (let at = 0; at < chains.length; at += pageSize) {
    const page = chains.slice(at, at + pageSize)
    const found = await rows.read(page.map((chain) => ({ key: view.prefix + chain })))
    for (const [i, row] of found.entries()) {
      if (row === undefined || row === 'same') continue
      heads.push({ ...chainSchema.parse(JSON.parse(Buffer.from(row.value).toString())), chain: page[i] ?? '' })
    }
  }
  return heads
}

/** What a verifier needs besides the files; undefined while nothing was ever audited. */
export async function readEvidence(rows: Rows): Promise<Evidence | undefined> {
  const key = await settingsView(rows).get('chain-key', keySchema)
  return key && { key, heads: await readChains(rows) }
}
