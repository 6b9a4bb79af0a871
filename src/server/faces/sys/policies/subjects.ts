/** Whose rights are asked about: a token, or an entity, with everything that counts for it now. */

import type { EntitySource, Standing } from '../../../contracts/access/standing.ts'
import { epochKey, type NamespaceInfo } from '../../../contracts/epochs.ts'
import type { Rows } from '../../../contracts/secret-storage.ts'
import type { ReadResult } from '../../../contracts/storage.ts'
import type { Acl } from '../../../policies/acl.ts'
import type { PolicyStore } from '../../../policies/policy-store.ts'
import type { TokenRow } from '../../../tokens/token-row.ts'
import type { TokenStore } from '../../../tokens/token-store.ts'

/** What a namespace has that rights come from. */
export interface PolicyHome {
  readonly policies: PolicyStore
  readonly identity: EntitySource
}

export interface SubjectsOptions {
  readonly barrier: Rows
  readonly tokens: TokenStore
  /** Where it is asked. */
  readonly namespace: NamespaceInfo
  readonly namespaceOf: (id: string) => NamespaceInfo | undefined
  readonly nounsOf: (namespace: NamespaceInfo) => PolicyHome
}

export interface Subject {
  /** Names, of the token and of its entity. */
  readonly policies: readonly string[]
  readonly entityId: string
  /** Where these policies are. */
  readonly home: NamespaceInfo
  /** Asked with paths of the namespace where it is asked. */
  readonly acl: Acl
  template?(name: string): string | undefined
}

export class Subjects {
  readonly #options: SubjectsOptions

  constructor(options: SubjectsOptions) {
    this.#options = options
  }

  /** Undefined: it is not (any more) a token, or not one that counts here. */
  async ofToken(token: string): Promise<Subject | undefined> {
    const found = await this.#options.tokens.lookup(token)
    return found && this.ofRow(found.row)
  }

  async ofAccessor(accessor: string): Promise<Subject | undefined> {
    const found = await this.#options.tokens.findByAccessor(accessor)
    return found && this.ofRow(found.row)
  }

  ofRow(row: TokenRow): Promise<Subject | undefined> {
    return this.#subject(row.namespace, row.policies, row.entityId)
  }

  /** These policies of this namespace, and those of the entity if one is named; undefined: no such entity, or it is disabled. */
  ofPolicies(policies: readonly string[], entityId: string): Promise<Subject | undefined> {
    return this.#subject(this.#options.namespace.id, policies, entityId)
  }

  async #subject(namespaceId: string, own: readonly string[], entityId: string): Promise<Subject | undefined> {
    const { namespace, namespaceOf, nounsOf, barrier } = this.#options
    const home = namespaceId === namespace.id ? namespace : namespaceOf(namespaceId)
    if (!home || !namespace.path.startsWith(home.path)) return undefined
    const { policies, identity } = nounsOf(home)
    const keys = [epochKey(home.id, 'policies')]
    if (entityId !== '') keys.push(identity.entityKey(entityId), epochKey(home.id, 'groups'))
    const [epoch, entity, groups] = await barrier.read(keys.map((key) => ({ key })))
    let standing: Standing | undefined
    if (entityId !== '') {
      if (entity === undefined || entity === 'same') return undefined
      standing = await identity.standing(entityId, entity, versionOf(groups))
      if (standing.disabled) return undefined
    }
    const names = [...new Set([...own, ...(standing?.policies ?? [])])]
    const versions = [entity, groups].map(versionOf).concat(standing?.depends.map(({ known }) => known) ?? [])
    const made = standing
    const identityOf = made && {
      key: `${entityId} ${versions.join(' ')}`,
      template: (name: string) => made.template(name),
    }
    const acl = await policies.acl(names, versionOf(epoch), identityOf)
    const scoped = acl.below(namespace.path.slice(home.path.length))
    return { policies: names, entityId, home, acl: scoped, ...(identityOf && { template: identityOf.template }) }
  }
}

const versionOf = (row: ReadResult): string => (row === undefined || row === 'same' ? '' : row.version)
