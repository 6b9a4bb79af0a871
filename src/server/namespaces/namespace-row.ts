/** A namespace as storage keeps it, below `core/namespaces/<id>`; root has no row. */
import * as z from 'zod'
import type { NamespaceInfo } from '../contracts/epochs.ts'

export interface NamespaceRow {
  readonly format: 1
  readonly id: string
  readonly uuid: string
  /** From root, with its trailing slash: "team/app/". */
  readonly path: string
  readonly customMetadata: Readonly<Record<string, string>>
  /** Marked by its deletion: no longer reached; what it holds is being removed. */
  readonly deleting?: boolean
  /** SHA-256 (hex) of the key that unlocks its API; absent: not locked. */
  readonly lock?: string
}

export const namespaceRowSchema: z.ZodType<NamespaceRow> = z.looseObject({
  format: z.literal(1),
  id: z.string(),
  uuid: z.string(),
  path: z.string(),
  customMetadata: z.record(z.string(), z.string()),
  deleting: z.boolean().optional(),
  lock: z.string().optional(),
})

export const infoOfNamespace = ({ id, path }: NamespaceRow): NamespaceInfo => ({ id, path })
