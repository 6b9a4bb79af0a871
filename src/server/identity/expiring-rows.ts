/** Rows that go by themselves: waiting logins, what is remembered of passcodes, authorization codes. */
import * as z from 'zod'
import type { JsonObject } from '../../lib/json/value.ts'
import type { Due, DueRows, Guard } from '../contracts/due-rows.ts'
import type { Rows, SecretStorage, Tx } from '../contracts/secret-storage.ts'

interface Expiring {
  readonly dueAt: number
}

/** Kinds of due rows: the folders of identity that have such rows. */
const kinds = ['mfa', 'oidc'] as const
const expiringSchema: z.ZodType<Expiring> = z.looseObject({ dueAt: z.number() })

/** Once for all namespaces. */
export function expireIdentityRows({ rows, due }: { readonly rows: Rows; readonly due: DueRows }): void {
  for (const kind of kinds) due.handle(kind, (one, guard) => expire({ rows, due }, one, guard))
}

async function expire(
  { rows, due }: { readonly rows: Rows; readonly due: DueRows },
  one: Due,
  guard: Guard,
): Promise<void> {
  const [namespaceId = '', ...name] = one.id.split('~')
  const view = rows.view(`ns/${namespaceId}/identity/${one.kind}/`)
  const gone = await view.transaction(async (tx) => {
    await guard(tx)
    const row = await tx.get(view, name.join('/'), expiringSchema)
    if (row?.dueAt !== one.at) return false
    tx.remove(view, name.join('/'))
    due.remove(tx, one)
    return true
  })
  if (!gone) await due.drop(one, guard)
}

/** Rows with their due time, below a folder of `mfa/` ("state/", "request/") or `oidc/` ("code/"). */
export class ExpiringRows {
  readonly #due: DueRows
  readonly #view: SecretStorage
  readonly #kind: (typeof kinds)[number]
  readonly #prefix: string

  constructor(options: {
    readonly due: DueRows
    readonly kind: (typeof kinds)[number]
    /** Of `folder`. */
    readonly view: SecretStorage
    readonly namespaceId: string
    readonly folder: string
  }) {
    this.#due = options.due
    this.#kind = options.kind
    this.#view = options.view
    this.#prefix = `${options.namespaceId}~${options.folder}~`
  }

  put(tx: Tx, name: string, row: JsonObject & Expiring, before: Expiring | undefined): void {
    if (before && before.dueAt !== row.dueAt) this.#due.remove(tx, this.#dueOf(name, before.dueAt))
    if (before?.dueAt !== row.dueAt) this.#due.add(tx, this.#dueOf(name, row.dueAt))
    if (before) tx.put(this.#view, name, row)
    else tx.create(this.#view, name, row)
  }

  remove(tx: Tx, name: string, row: Expiring): void {
    tx.remove(this.#view, name)
    this.#due.remove(tx, this.#dueOf(name, row.dueAt))
  }

  #dueOf(name: string, at: number): Due {
    return { at, kind: this.#kind, id: `${this.#prefix}${name.replaceAll('/', '~')}` }
  }
}
