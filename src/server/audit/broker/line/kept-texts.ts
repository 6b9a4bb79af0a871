import type { RawJson } from '../../../../lib/json/value.ts'
import type { AuditedAuth } from '../../../contracts/audit.ts'
import type { NamespaceInfo } from '../../../contracts/epochs.ts'
import type { MountInfo } from '../../../contracts/request.ts'

type Granting = NonNullable<AuditedAuth['policyResults']>['granting']

/** How a device writes tokens and accessors. */
export interface CredentialTexts {
  credential(text: string): string
  accessor(text: string): string
}

/** What all lines of one holder say in the same words. */
export interface HolderTexts {
  /** Of `auth`, up to the results of policy; ends with a comma, unless it is empty. */
  readonly before: string
  /** Ends with a comma, unless it is empty. */
  readonly metadata: string
  /** The last members, never empty. */
  readonly after: string
  /** Of `request`: token and accessor, with a comma before each. */
  readonly credentials: string
}

/** Parts of lines that come again with every request of a token, to a mount or in a namespace: made once for one device. */
export class KeptTexts {
  readonly #texts: CredentialTexts
  readonly #holders = new WeakMap<object, HolderTexts>()
  readonly #mounts = new WeakMap<MountInfo, string>()
  readonly #namespaces = new WeakMap<NamespaceInfo, string>()
  readonly #hidden = new WeakMap<
    RawJson,
    { readonly text: string; readonly clearKeys: readonly string[] | undefined }
  >()
  readonly #granting = new WeakMap<Granting, string>()

  constructor(texts: CredentialTexts) {
    this.#texts = texts
  }

  holder(auth: AuditedAuth): HolderTexts {
    const known = auth.holder && this.#holders.get(auth.holder)
    if (known) return known
    const made = holderTexts(auth, this.#texts)
    if (auth.holder) this.#holders.set(auth.holder, made)
    return made
  }

  /** Members with a comma before each. */
  mount(info: MountInfo | undefined): string {
    return info ? once(this.#mounts, info, mountText) : ''
  }

  /** The policies that allowed a request: a member with a comma before it; nothing for none. */
  granting(policies: Granting): string {
    return policies.length === 0 ? '' : once(this.#granting, policies, grantingText)
  }

  /** What `hide` makes of `kept`, an object's text; `clearKeys` are the members that it leaves alone. */
  hidden(kept: RawJson, clearKeys: readonly string[] | undefined, hide: (json: RawJson) => string): string {
    const known = this.#hidden.get(kept)
    if (known && known.clearKeys === clearKeys) return known.text
    const text = hide(kept)
    this.#hidden.set(kept, { text, clearKeys })
    return text
  }

  /** A member with a comma before it. */
  namespace(info: NamespaceInfo): string {
    return once(this.#namespaces, info, namespaceText)
  }
}

function once<T extends object>(texts: WeakMap<T, string>, of: T, make: (of: T) => string): string {
  const known = texts.get(of)
  if (known !== undefined) return known
  const made = make(of)
  texts.set(of, made)
  return made
}

function mountText({ path, type, accessor, class: kind }: MountInfo): string {
  return (
    member('mount_point', path) +
    member('mount_type', type) +
    member('mount_accessor', accessor) +
    member('mount_class', kind)
  )
}

function grantingText(policies: Granting): string {
  const texts = policies.map(({ name, namespace, type }) => {
    const path = member('namespace_path', namespace.path)
    return `{"name":${JSON.stringify(name)},"namespace_id":${JSON.stringify(namespace.id)}${path},"type":${JSON.stringify(type)}}`
  })
  return `,"granting_policies":[${texts.join(',')}]`
}

function namespaceText({ id, path }: NamespaceInfo): string {
  return `,"namespace":${braced(member('id', id) + member('path', path))}`
}

function holderTexts(auth: AuditedAuth, { credential, accessor }: CredentialTexts): HolderTexts {
  const { policies, tokenPolicies, identityPolicies, metadata, tokenTtlMs, tokenIssuedAt } = auth
  const token = auth.clientToken === '' ? '' : credential(auth.clientToken)
  const holds = auth.accessor === '' ? '' : accessor(auth.accessor)
  const ttl = tokenTtlMs > 0 ? `,"token_ttl":${Math.round(tokenTtlMs / 1000)}` : ''
  const issued = tokenIssuedAt > 0 ? `,"token_issue_time":"${new Date(tokenIssuedAt).toISOString()}"` : ''
  const before =
    member('client_token', token) +
    member('accessor', holds) +
    member('display_name', auth.displayName) +
    list('policies', policies) +
    list('token_policies', tokenPolicies) +
    list('identity_policies', identityPolicies) +
    (auth.noDefaultPolicy ? ',"no_default_policy":true' : '')
  const after = `${member('entity_id', auth.entityId)},"token_type":"${auth.tokenType}"${ttl}${issued}`
  return {
    before: before === '' ? '' : `${before.slice(1)},`,
    metadata: metadata === null ? '' : `"metadata":${JSON.stringify(metadata)},`,
    after: after.slice(1),
    credentials: member('client_token', token) + member('client_token_accessor', holds),
  }
}

/** `,"name":"text"`; nothing for an empty text. */
export function member(name: string, text: string | undefined): string {
  return text === undefined || text === '' ? '' : `,"${name}":${JSON.stringify(text)}`
}

function list(name: string, items: readonly string[]): string {
  return items.length === 0 ? '' : `,"${name}":${JSON.stringify(items)}`
}

/** An object from members with a comma before each. */
export function braced(members: string): string {
  return `{${members.slice(1)}}`
}
