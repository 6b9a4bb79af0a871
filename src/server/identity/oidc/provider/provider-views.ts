import type { RandomBytes } from '../../../../lib/random.ts'
import type { DueRows } from '../../../contracts/due-rows.ts'
import type { NamespaceInfo } from '../../../contracts/epochs.ts'
import { Refusal } from '../../../contracts/request.ts'
import type { Rows, SecretStorage } from '../../../contracts/secret-storage.ts'
import type { IdentityStore } from '../../identity-store.ts'

export interface ProviderOptions {
  readonly rows: Rows
  readonly namespace: NamespaceInfo
  readonly random: RandomBytes
  readonly due: DueRows
  readonly identity: Pick<IdentityStore, 'entityOf' | 'membershipsOf' | 'namespaceId' | 'oidc'>
}

/** Where the rows of a namespace lie; see provider-rows.ts. */
export class ProviderViews {
  readonly options: ProviderOptions
  readonly scopes: SecretStorage
  readonly assignments: SecretStorage
  readonly clients: SecretStorage
  readonly clientIds: SecretStorage
  readonly providers: SecretStorage
  readonly codes: SecretStorage

  constructor(options: ProviderOptions) {
    this.options = options
    const all = options.rows.view(`ns/${options.namespace.id}/identity/oidc/`)
    this.scopes = all.at('scope/')
    this.assignments = all.at('assignment/')
    this.clients = all.at('client/')
    this.clientIds = all.at('client-id/')
    this.providers = all.at('provider/')
    this.codes = all.at('code/')
  }
}

/** Without duplicates and blanks. Refuses (400) more than fit into one row. */
export function checkedList(what: string, given: readonly string[], most: { items: number; bytes: number }): string[] {
  const list = [...new Set(given.map((one) => one.trim()).filter((one) => one !== ''))]
  if (list.length > most.items) throw new Refusal(400, `at most ${most.items} ${what}, not ${list.length}`)
  if (list.some((one) => Buffer.byteLength(one) > most.bytes)) {
    throw new Refusal(400, `each of the ${what} has at most ${most.bytes} bytes`)
  }
  return list
}

/** Sorted, with `name` among them once. */
export const withName = (names: readonly string[], name: string): string[] => [...new Set([...names, name])].sort()
export const withoutName = (names: readonly string[], name: string): string[] => names.filter((one) => one !== name)
