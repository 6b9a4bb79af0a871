/** What one client asked of one key, and what it was told: a history is a list of these. */

export type Asked =
  | { readonly kind: 'read' }
  /** `cas`: the version that it must have, 0 for a key that must not be there; undefined writes over whatever there is. */
  | { readonly kind: 'write'; readonly value: string; readonly cas?: number }
  | { readonly kind: 'delete' }

/** A key with a value. Versions count from 1 and begin anew after a delete. */
export interface Held {
  readonly version: number
  readonly value: string
}

export type Told =
  /** What a read found (undefined: nothing), or the version that a write made. */
  | { readonly kind: 'found'; readonly held: Held | undefined }
  | { readonly kind: 'wrote'; readonly version: number }
  | { readonly kind: 'deleted' }
  /** Its `cas` was not the version. */
  | { readonly kind: 'refused' }
  /** Cut, or 5xx after a write: it may have happened, may still happen, or may never. */
  | { readonly kind: 'unknown' }

export interface Operation {
  readonly key: string
  readonly asked: Asked
  readonly told: Told
  /** By one clock, of the process that records. `end` counts for nothing when it is unknown. */
  readonly begin: number
  readonly end: number
}

export const describeOperation = ({ key, asked, told, begin, end }: Operation): string =>
  `${begin.toFixed(1)}..${told.kind === 'unknown' ? '?' : end.toFixed(1)} ${key} ${JSON.stringify(asked)} -> ${JSON.stringify(told)}`
