/** Clients: applications that people log in to. */
import { base62 } from '../../../../lib/random.ts'
import { Refusal } from '../../../contracts/request.ts'
import type { Tx } from '../../../contracts/secret-storage.ts'
import { checkName } from '../../given-names.ts'
import { allNames, defaultKey } from '../oidc-store.ts'
import type { AssignmentStore } from './assignment-store.ts'
import { type ClientRow, clientPointerSchema, clientSchema } from './provider-rows.ts'
import { checkedList, type ProviderViews } from './provider-views.ts'

export interface ClientChange {
  readonly redirectUris?: readonly string[] | undefined
  readonly assignments?: readonly string[] | undefined
  readonly key?: string | undefined
  readonly idTokenTtlMs?: number | undefined
  readonly accessTokenTtlMs?: number | undefined
  readonly type?: string | undefined
  readonly authorizationCode?: boolean | undefined
  readonly clientCredentials?: boolean | undefined
}

const secretPrefix = 'hvo_secret_'
const dayMs = 24 * 60 * 60 * 1000
/** Both lists of one change go into one commit. */
const mostAssignments = { items: 100, bytes: 512 }
const mostUris = { items: 100, bytes: 2048 }

export class ClientStore {
  readonly #views: ProviderViews
  readonly #assignments: AssignmentStore

  constructor(views: ProviderViews, assignments: AssignmentStore) {
    this.#views = views
    this.#assignments = assignments
  }

  get(name: string): Promise<ClientRow | undefined> {
    return this.#views.clients.get(name, clientSchema)
  }

  /** `id` is what a stranger says. */
  async byId(id: string): Promise<ClientRow | undefined> {
    if (!/^[0-9A-Za-z]{32}$/.test(id)) return undefined
    const pointer = await this.#views.clientIds.get(id, clientPointerSchema)
    const row = pointer && (await this.get(pointer.name))
    return row?.clientId === id ? row : undefined
  }

  names(): Promise<string[]> {
    return allNames(this.#views.clients)
  }

  async put(name: string, change: ClientChange): Promise<void> {
    checkName('client name', name)
    const { random, identity } = this.#views.options
    const checked = {
      ...change,
      redirectUris: change.redirectUris && checkedList('redirect_uris', change.redirectUris, mostUris),
      assignments: change.assignments && checkedList('assignments', change.assignments, mostAssignments),
    }
    // Made outside: a transaction may run several times.
    const made = { id: base62(random, 32), secret: secretPrefix + base62(random, 64) }
    await identity.oidc.prepare(change.key ?? defaultKey)
    await this.#views.clients.transaction(async (tx) => {
      const before = await tx.get(this.#views.clients, name, clientSchema)
      const row = changed(before, checked, made)
      for (const assignment of row.assignments) await this.#assignments.link(tx, assignment, name)
      for (const assignment of before?.assignments ?? []) {
        if (!row.assignments.includes(assignment)) await this.#assignments.unlink(tx, assignment, name)
      }
      await identity.oidc.linkClient(tx, row.key, { name, id: row.clientId, ttlMs: row.idTokenTtlMs })
      if (!before) tx.create(this.#views.clientIds, row.clientId, { format: 1, name })
      tx.put(this.#views.clients, name, row)
    })
  }

  /** An absent client is fine. */
  async delete(name: string): Promise<void> {
    await this.#views.clients.transaction(async (tx: Tx) => {
      const row = await tx.get(this.#views.clients, name, clientSchema)
      if (!row) return
      for (const assignment of row.assignments) await this.#assignments.unlink(tx, assignment, name)
      await this.#views.options.identity.oidc.unlinkClient(tx, row.key, name)
      tx.remove(this.#views.clientIds, row.clientId)
      tx.remove(this.#views.clients, name)
    })
  }
}

function changed(
  before: ClientRow | undefined,
  change: ClientChange,
  made: { readonly id: string; readonly secret: string },
): ClientRow {
  const type = change.type ?? before?.type ?? 'confidential'
  if (before && type !== before.type) throw new Refusal(400, 'client_type modification is not allowed')
  if (type !== 'confidential' && type !== 'public') {
    throw new Refusal(400, `invalid client_type ${JSON.stringify(type)}`)
  }
  const key = change.key ?? before?.key ?? defaultKey
  if (before && key !== before.key) throw new Refusal(400, 'key modification is not allowed')
  const row: ClientRow = {
    ...(before ?? { format: 1, clientId: made.id, clientSecret: type === 'confidential' ? made.secret : '' }),
    type,
    key,
    redirectUris: change.redirectUris ?? before?.redirectUris ?? [],
    assignments: change.assignments ?? before?.assignments ?? [],
    idTokenTtlMs: change.idTokenTtlMs ?? before?.idTokenTtlMs ?? dayMs,
    accessTokenTtlMs: change.accessTokenTtlMs ?? before?.accessTokenTtlMs ?? dayMs,
    authorizationCode: change.authorizationCode ?? before?.authorizationCode ?? true,
    clientCredentials: change.clientCredentials ?? before?.clientCredentials ?? false,
  }
  check(row)
  return row
}

function check(row: ClientRow): void {
  for (const [name, ms] of [
    ['id_token_ttl', row.idTokenTtlMs],
    ['access_token_ttl', row.accessTokenTtlMs],
  ] as const) {
    if (ms < 1000) throw new Refusal(400, `${name} must be at least one second, not ${ms / 1000}s`)
  }
  // RFC 6749, 4.4: who can keep no secret has none to log in with.
  if (row.clientCredentials && row.type === 'public') {
    throw new Refusal(400, 'client_credentials needs a confidential client: a public one has no secret')
  }
}
