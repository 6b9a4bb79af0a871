/** Identity as an issuer: named keys that rotate, roles that say what a token claims, tokens for the entity of the caller. */
import type { Clock } from '../../../lib/clock.ts'
import type { JsonObject } from '../../../lib/json/value.ts'
import { base62, type RandomBytes, uuid } from '../../../lib/random.ts'
import type { NamespaceInfo } from '../../contracts/epochs.ts'
import { Refusal } from '../../contracts/request.ts'
import type { Rows, SecretStorage, Tx } from '../../contracts/secret-storage.ts'
import { checkName } from '../given-names.ts'
import { checkTemplate } from './claims.ts'
import { checkIssuer } from './issuer.ts'
import { checkUsers, refuseWhileUsed, withUser } from './key-users.ts'
import {
  configRowSchema,
  type KeyClient,
  type KeyRow,
  keyRowSchema,
  type RoleRow,
  roleRowSchema,
  type SigningKey,
} from './oidc-rows.ts'
import { isAlgorithm, makeKey } from './signing.ts'

export interface OidcStoreOptions {
  readonly rows: Rows
  readonly namespace: NamespaceInfo
  readonly clock: Clock
  readonly random: RandomBytes
  /** Where clients reach this server ("https://vault:8200"), for the issuer. */
  readonly apiAddress: () => string
}

export interface KeyChange {
  readonly algorithm?: string | undefined
  readonly rotationMs?: number | undefined
  readonly verificationMs?: number | undefined
  readonly allowed?: readonly string[] | undefined
}
export interface KeySettings {
  readonly algorithm: string
  readonly rotationMs: number
  readonly verificationMs: number
  readonly allowed: readonly string[]
}
export interface RoleChange {
  readonly key?: string | undefined
  readonly template?: string | undefined
  readonly ttlMs?: number | undefined
  readonly clientId?: string | undefined
}

const dayMs = 24 * 60 * 60 * 1000
const minRotationMs = 60_000
/** Keys that are still published; more come only of rotating by hand. */
const maxFormer = 200
/** Is always there; its key pairs are made when it is first needed. */
export const defaultKey = 'default'
const defaultSettings = { algorithm: 'RS256', rotationMs: dayMs, verificationMs: dayMs, allowed: ['*'] } as const
const pageSize = 250

export class OidcStore {
  readonly #options: OidcStoreOptions
  readonly #view: SecretStorage
  readonly #keys: SecretStorage
  readonly #roles: SecretStorage

  constructor(options: OidcStoreOptions) {
    this.#options = options
    this.#view = options.rows.view(`ns/${options.namespace.id}/identity/oidc/`)
    this.#keys = this.#view.at('key/')
    this.#roles = this.#view.at('role/')
  }

  /** What an administrator set, '' by default. */
  async configuredIssuer(): Promise<string> {
    return (await this.#view.get('config', configRowSchema))?.issuer ?? ''
  }

  async issuer(): Promise<string> {
    return this.issuerAt(await this.configuredIssuer())
  }

  /** `configured`: scheme, host and port; '' for the address of the server. */
  issuerAt(configured: string, below = ''): string {
    const base = configured || this.#options.apiAddress()
    return `${base.replace(/\/+$/, '')}/v1/${this.#options.namespace.path}identity/oidc${below}`
  }

  async configure(issuer: string): Promise<void> {
    checkIssuer(issuer)
    await this.#view.transaction(async (tx) => tx.put(this.#view, 'config', { format: 1, issuer }))
  }

  key(name: string): Promise<KeyRow | undefined> {
    return this.#keys.get(name, keyRowSchema)
  }

  /** As administrators see it. */
  async keySettings(name: string): Promise<KeySettings | undefined> {
    return (await this.key(name)) ?? (name === defaultKey ? defaultSettings : undefined)
  }

  /** To be awaited before something begins to use the key. */
  async prepare(name: string): Promise<void> {
    if (name === defaultKey && !(await this.key(name))) await this.putKey(name, {})
  }

  role(name: string): Promise<RoleRow | undefined> {
    return this.#roles.get(name, roleRowSchema)
  }

  async keyNames(): Promise<string[]> {
    const found = await allNames(this.#keys)
    return found.includes(defaultKey) ? found : [...found, defaultKey].sort()
  }

  roleNames(): Promise<string[]> {
    return allNames(this.#roles)
  }

  async putKey(name: string, change: KeyChange): Promise<void> {
    checkName('key name', name)
    const known = await this.key(name)
    const defaults = name === defaultKey ? defaultSettings : { ...defaultSettings, allowed: [] }
    const algorithm = change.algorithm ?? known?.algorithm ?? defaults.algorithm
    if (!isAlgorithm(algorithm)) throw new Refusal(400, `unknown signing algorithm ${JSON.stringify(algorithm)}`)
    // Made outside: a transaction may run several times.
    const [current, next] =
      known?.algorithm === algorithm ? [] : [await this.#make(algorithm), await this.#make(algorithm)]
    await this.#keys.transaction(async (tx) => {
      const before = await tx.get(this.#keys, name, keyRowSchema)
      const now = this.#options.clock.now()
      const rotationMs = change.rotationMs ?? before?.rotationMs ?? defaults.rotationMs
      const verificationMs = change.verificationMs ?? before?.verificationMs ?? defaults.verificationMs
      checkTimes(rotationMs, verificationMs)
      checkUsers(name, before, verificationMs)
      const base = before ?? (current && next && { format: 1 as const, roles: [], former: [], current, next })
      if (!base) throw new Refusal(503, 'the key was deleted at the same time, try again')
      // Another algorithm signs with keys of its own; what the old ones signed stays verifiable.
      const renewed = before && before.algorithm !== algorithm && current && next ? { current, next } : undefined
      const former = renewed && before ? retire(before.former, before.current, now + verificationMs, now) : base.former
      tx.put(this.#keys, name, {
        ...base,
        ...renewed,
        algorithm,
        former,
        rotationMs,
        verificationMs,
        allowed: change.allowed ?? before?.allowed ?? defaults.allowed,
        rotateAt: before && change.rotationMs === undefined ? before.rotateAt : now + rotationMs,
      })
    })
  }

  /** An absent key is fine. */
  async deleteKey(name: string): Promise<void> {
    if (name === defaultKey) throw new Refusal(400, `deletion of key ${JSON.stringify(name)} not allowed`)
    await this.#keys.transaction(async (tx) => {
      const key = await tx.get(this.#keys, name, keyRowSchema)
      if (!key) return
      refuseWhileUsed(`key ${JSON.stringify(name)}`, 'roles', key.roles)
      refuseWhileUsed(`key ${JSON.stringify(name)}`, 'clients', key.clients ?? [])
      tx.remove(this.#keys, name)
    })
  }

  /** `verificationMs`: how long what the old key signed can still be verified; by default as the key says. */
  async rotate(name: string, verificationMs?: number): Promise<void> {
    await this.prepare(name)
    const known = await this.key(name)
    if (!known) throw new Refusal(400, `no named key at ${JSON.stringify(name)}`)
    const made = await this.#make(known.algorithm)
    await this.#keys.transaction(async (tx) => {
      const key = await tx.get(this.#keys, name, keyRowSchema)
      if (!key) throw new Refusal(400, `no named key at ${JSON.stringify(name)}`)
      if (key.algorithm !== known.algorithm) return
      this.#rotated(tx, name, key, made, verificationMs ?? key.verificationMs)
    })
  }

  /** The key that signs now; one whose time is over makes way, whether or not housekeeping came by. */
  async signer(name: string): Promise<KeyRow | undefined> {
    await this.prepare(name)
    const key = await this.key(name)
    if (!key || key.rotateAt > this.#options.clock.now()) return key
    await this.#rotateDue(name)
    return this.key(name)
  }

  /** Housekeeping: rotates what is due and forgets what is no longer published. */
  async tick(signal: AbortSignal): Promise<void> {
    for (const name of await this.keyNames()) {
      if (signal.aborted) return
      const key = await this.key(name)
      const now = this.#options.clock.now()
      if (!key) continue
      if (key.rotateAt <= now) await this.#rotateDue(name)
      else if (key.former.some((one) => (one.expiresAt ?? 0) <= now)) await this.#prune(name)
    }
  }

  async putRole(name: string, change: RoleChange): Promise<void> {
    checkName('role name', name)
    const template = change.template === undefined ? undefined : checkTemplate(change.template)
    const { clientId: wanted = '' } = change
    if (wanted !== '' && !/^[\x21-\x7e]{1,256}$/.test(wanted)) {
      throw new Refusal(400, 'client_id must be 1 to 256 printable characters without spaces')
    }
    await this.prepare(change.key ?? '')
    await this.#roles.transaction(async (tx) => {
      const before = await tx.get(this.#roles, name, roleRowSchema)
      const keyName = change.key || before?.key
      if (!keyName) throw new Refusal(400, 'the key parameter is required')
      const ttlMs = change.ttlMs ?? before?.ttlMs ?? dayMs
      const key = await tx.get(this.#keys, keyName, keyRowSchema)
      if (!key) throw new Refusal(400, `cannot find key ${JSON.stringify(keyName)}`)
      if (ttlMs > key.verificationMs) {
        throw new Refusal(400, "a role's token ttl cannot be longer than the verification_ttl of the key it references")
      }
      if (before && before.key !== keyName) await this.#unlink(tx, before.key, name)
      this.#link(tx, keyName, key, name, ttlMs)
      const clientId = wanted || before?.clientId || base62(this.#options.random, 26)
      tx.put(this.#roles, name, {
        format: 1,
        key: keyName,
        template: template ?? before?.template ?? '',
        ttlMs,
        clientId,
      })
    })
  }

  /** An absent role is fine. */
  async deleteRole(name: string): Promise<void> {
    await this.#roles.transaction(async (tx) => {
      const role = await tx.get(this.#roles, name, roleRowSchema)
      if (!role) return
      tx.remove(this.#roles, name)
      await this.#unlink(tx, role.key, name)
    })
  }

  /** Public keys that tokens of this namespace may be signed with; of keys that no role uses there are none. */
  published(): Promise<SigningKey[]> {
    return this.#published((key) => key.roles.length > 0)
  }

  /** Those of the clients of a provider. */
  publishedFor(isAllowed: (clientId: string) => boolean): Promise<SigningKey[]> {
    return this.#published((key) => (key.clients ?? []).some((client) => isAllowed(client.id)))
  }

  /** In the commit that stores the client. Refuses (400) what the key can't serve. */
  async linkClient(tx: Tx, keyName: string, client: KeyClient): Promise<void> {
    const key = await tx.get(this.#keys, keyName, keyRowSchema)
    if (!key) throw new Refusal(400, `key ${JSON.stringify(keyName)} does not exist`)
    if (client.ttlMs > key.verificationMs) {
      throw new Refusal(
        400,
        "a client's id_token_ttl cannot be greater than the verification_ttl of the key it references",
      )
    }
    tx.put(this.#keys, keyName, { ...key, clients: withUser(key.clients ?? [], client, 'clients') })
  }

  /** In the commit that removes the client. */
  async unlinkClient(tx: Tx, keyName: string, name: string): Promise<void> {
    const key = await tx.get(this.#keys, keyName, keyRowSchema)
    if (key) tx.put(this.#keys, keyName, { ...key, clients: (key.clients ?? []).filter((one) => one.name !== name) })
  }

  async #published(isWanted: (key: KeyRow) => boolean): Promise<SigningKey[]> {
    const now = this.#options.clock.now()
    const out: SigningKey[] = []
    for (const name of await this.keyNames()) {
      const key = await this.key(name)
      if (!key || !isWanted(key)) continue
      const former = key.former.filter((one) => (one.expiresAt ?? 0) > now)
      out.push(...former, key.current, key.next)
    }
    return out
  }

  async #make(algorithm: KeyRow['algorithm']): Promise<SigningKey> {
    const made = await makeKey(algorithm)
    return { kid: uuid(this.#options.random), algorithm, ...made }
  }

  async #rotateDue(name: string): Promise<void> {
    const known = await this.key(name)
    if (!known) return
    const made = await this.#make(known.algorithm)
    await this.#keys.transaction(async (tx) => {
      const key = await tx.get(this.#keys, name, keyRowSchema)
      // Another node was first.
      if (!key || key.algorithm !== known.algorithm || key.rotateAt > this.#options.clock.now()) return
      this.#rotated(tx, name, key, made, key.verificationMs)
    })
  }

  #rotated(tx: Tx, name: string, key: KeyRow, made: SigningKey, verificationMs: number): void {
    const now = this.#options.clock.now()
    const former = retire(key.former, key.current, now + verificationMs, now)
    tx.put(this.#keys, name, { ...key, current: key.next, next: made, former, rotateAt: now + key.rotationMs })
  }

  async #prune(name: string): Promise<void> {
    await this.#keys.transaction(async (tx) => {
      const key = await tx.get(this.#keys, name, keyRowSchema)
      const now = this.#options.clock.now()
      if (!key) return
      tx.put(this.#keys, name, { ...key, former: key.former.filter((one) => (one.expiresAt ?? 0) > now) })
    })
  }

  #link(tx: Tx, keyName: string, key: KeyRow, name: string, ttlMs: number): void {
    tx.put(this.#keys, keyName, { ...key, roles: withUser(key.roles, { name, ttlMs }, 'roles') })
  }

  async #unlink(tx: Tx, keyName: string, name: string): Promise<void> {
    const key = await tx.get(this.#keys, keyName, keyRowSchema)
    if (key) tx.put(this.#keys, keyName, { ...key, roles: key.roles.filter((role) => role.name !== name) })
  }
}

/** The private half goes at once. */
function retire(former: readonly SigningKey[], key: SigningKey, expiresAt: number, now: number): SigningKey[] {
  const kept = former.filter((one) => (one.expiresAt ?? 0) > now)
  if (kept.length >= maxFormer) {
    throw new Refusal(400, `${kept.length} former keys are still published: wait, or give a shorter verification_ttl`)
  }
  const publicKey: JsonObject = key.publicKey
  return [...kept, { kid: key.kid, algorithm: key.algorithm, publicKey, expiresAt }]
}

function checkTimes(rotationMs: number, verificationMs: number): void {
  if (rotationMs < minRotationMs) throw new Refusal(400, 'rotation_period must be at least one minute')
  if (verificationMs > 10 * rotationMs) {
    throw new Refusal(400, 'verification_ttl cannot be longer than 10x rotation_period')
  }
}

/** Page by page. */
export async function allNames(view: SecretStorage): Promise<string[]> {
  const out: string[] = []
  for (;;) {
    const after = out.at(-1)
    const page = await view.list('', { depth: 'all', limit: pageSize, ...(after !== undefined && { after }) })
    out.push(...page)
    if (page.length < pageSize) return out
  }
}
