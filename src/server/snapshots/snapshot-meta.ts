import { Refusal } from '../contracts/request.ts'
import { damaged } from './state.ts'

/** meta.json: what may be known of a snapshot without any key. The first five as in Vault's. */
export interface SnapshotMeta {
  readonly Version: 1
  readonly ID: string
  /** Grows from snapshot to snapshot: when it was taken, ms. */
  readonly Index: number
  /** Of the keyring. */
  readonly Term: number
  /** Of state.bin, bytes. */
  readonly Size: number
  readonly Format: 1
  readonly Rows: number
  readonly TakenAt: string
  readonly CofferVersion: string
  readonly ClusterID: string
  readonly Storage: string
}

export const encodeMeta = (meta: SnapshotMeta): Buffer => Buffer.from(`${JSON.stringify(meta, null, 2)}\n`)

/** Refusal 400 for what no Coffer wrote, or only a newer one. */
export function decodeMeta(bytes: Uint8Array): SnapshotMeta {
  const meta = parsed(bytes)
  const numbers = ['Version', 'Index', 'Term', 'Size'].map((name) => meta[name])
  if (numbers.some((value) => !Number.isSafeInteger(value))) throw damaged('its meta.json is not one')
  const { Format: format } = meta
  if (format === undefined) {
    throw new Refusal(400, 'this is a snapshot of Vault or OpenBao, not of Coffer: it can not be restored here')
  }
  if (format !== 1) {
    throw new Refusal(
      400,
      `the snapshot has format ${String(format).slice(0, 20)}, this Coffer reads format 1: restore it with the version that took it, or a newer one`,
    )
  }
  const number = (name: string) => Number(meta[name])
  const text = (name: string) => (typeof meta[name] === 'string' ? String(meta[name]) : '')
  if (!Number.isSafeInteger(meta['Rows'])) throw damaged('its meta.json has no number of rows')
  return {
    Version: 1,
    ID: text('ID'),
    Index: number('Index'),
    Term: number('Term'),
    Size: number('Size'),
    Format: 1,
    Rows: number('Rows'),
    TakenAt: text('TakenAt'),
    CofferVersion: text('CofferVersion'),
    ClusterID: text('ClusterID'),
    Storage: text('Storage'),
  }
}

function parsed(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString())
    if (typeof value === 'object' && value !== null) return { ...value }
  } catch {
    // Said below.
  }
  throw damaged('its meta.json is not JSON')
}
