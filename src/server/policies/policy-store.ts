/** The policies of one namespace: rows, what is built in, and the ACLs compiled from them. */
import { LRUCache } from 'lru-cache'
import { boundedCache } from '../../lib/bounded-cache.ts'
import type { Clock } from '../../lib/clock.ts'
import { compareUtf8 } from '../../lib/json/stringify.ts'
import { createTurns, inTurns, type Turns } from '../../lib/turns.ts'
import { type Epoch, epochKey, type NamespaceInfo, rootNamespace } from '../contracts/epochs.ts'
import { Refusal } from '../contracts/request.ts'
import type { Rows, Schema, SecretStorage } from '../contracts/secret-storage.ts'
import type { ReadResult } from '../contracts/storage.ts'
import { type Acl, aclOf } from './acl.ts'
import { defaultPolicy, responseWrappingPolicy } from './builtin-policies.ts'
import { CompiledPolicies } from './compiled-policies.ts'
import { parsePolicy, policySteps } from './parse-policy.ts'
import type { Policy } from './policy.ts'

export interface PolicyDocument extends PolicySettings {
  readonly name: string
  readonly text: string
  /** Counts the writes; 0 for what is built in and was never written. */
  readonly version: number
  /** Milliseconds since the epoch; 0 likewise. */
  readonly modifiedAt: number
}

export interface PolicySettings {
  /** Writes must say which version they replace. */
  readonly casRequired: boolean
  /** Milliseconds since the epoch; from then on the policy is not there. */
  readonly expiresAt?: number
  readonly allowSlashes: boolean
  readonly allowWildcards: boolean
}

/** `cas`: the version that is replaced; -1 or 0: there must be none (0: none was ever written). */
export interface PolicyWrite extends Partial<PolicySettings> {
  readonly text: string
  readonly cas?: number
}
/** What is absent stays as it is. */
export type PolicyPatch = Partial<PolicyWrite>

/** Whose values fill templates; `key` changes whenever one of them may have. */
export interface Identity {
  readonly key: string
  template(name: string): string | undefined
}

interface PolicyRow extends PolicySettings {
  readonly format: 1
  readonly text: string
  readonly version: number
  readonly modifiedAt: number
}

const plainSettings = { casRequired: false, allowSlashes: false, allowWildcards: false }
/** Of `ns/<namespace>/policy/<name>`. */
export const policyRowSchema: Schema<PolicyRow> = {
  parse(value: unknown): PolicyRow {
    const row: Partial<PolicyRow> = typeof value === 'object' && value !== null ? value : {}
    if (row.format !== 1 || typeof row.text !== 'string') throw new Error('not a policy row')
    return { ...plainSettings, version: 1, modifiedAt: 0, ...row, format: 1, text: row.text }
  },
}

/** Never written; `response-wrapping` is hidden from lists besides. */
const immutable: ReadonlyMap<string, string> = new Map([
  ['root', ''],
  ['response-wrapping', responseWrappingPolicy],
])
const pageSize = 1000
const maxNameBytes = 512
/** Of all compiled sets together: about 300 bytes each. */
const maxRules = 500_000

export class PolicyStore {
  readonly #rows: Rows
  readonly #clock: Clock
  readonly #turns: Turns
  readonly #namespace: NamespaceInfo
  readonly #view: SecretStorage
  /** Names of policies that expire: a list must not read every row to leave out what has. */
  readonly #expiring: SecretStorage
  readonly #epochs: SecretStorage
  readonly #epoch: Epoch = 'policies'
  /** By epoch and names. */
  readonly #compiled: LRUCache<string, CompiledPolicies>
  readonly #compiling = new Map<string, Promise<CompiledPolicies>>()
  /** Besides by identity, for sets that it can change. */
  readonly #acls: LRUCache<string, Acl>
  /** Parsed policies by name with the version of the row they came from. */
  readonly #parsed: LRUCache<string, { version: string; policy: Policy }>

  /** `turns`: policies are parsed and compiled in slices; absent: in a queue of their own. */
  constructor(options: { rows: Rows; namespace: NamespaceInfo; clock: Clock; turns?: Turns; cachedAcls?: number }) {
    const { rows, namespace } = options
    this.#rows = rows
    this.#turns = options.turns ?? createTurns()
    this.#clock = options.clock
    this.#namespace = namespace
    this.#view = rows.view(`ns/${namespace.id}/policy/`)
    this.#expiring = rows.view(`ns/${namespace.id}/policy-expiring/`)
    const key = epochKey(namespace.id, this.#epoch)
    this.#epochs = rows.view(key.slice(0, -this.#epoch.length))
    this.#compiled = new LRUCache({
      maxSize: maxRules,
      sizeCalculation: (compiled) => Math.min(compiled.ruleCount + 1, maxRules),
    })
    this.#acls = boundedCache(options.cachedAcls ?? 1000)
    this.#parsed = boundedCache(2000)
  }

  /** Names are lower-cased here and below. Undefined: no such policy. */
  async get(name: string): Promise<PolicyDocument | undefined> {
    const id = name.toLowerCase()
    const fixed = this.#fixed(id)
    if (fixed !== undefined) return builtIn(id, fixed)
    if (immutable.has(id)) return undefined
    const row = await this.#view.get(id, policyRowSchema)
    if (row && !this.#isExpired(row)) return documentOf(id, row)
    return id === 'default' ? builtIn(id, defaultPolicy) : undefined
  }

  /** `text` is HCL, JSON, or base64 of either; settings that are absent are reset. Refusal 400 when it can't be. Answers the name as stored. */
  async put(name: string, write: PolicyWrite): Promise<string> {
    const id = this.#writable(name)
    if (write.text === '') throw new Refusal(400, "'policy' parameter not supplied or empty")
    const text = decodePolicy(write.text)
    await inTurns(policySteps(id, text), this.#turns)
    await this.#change(id, write, (before) => ({ ...before, ...settingsOf(write), text }))
    return id
  }

  /** Changes an existing policy; what is absent stays. Refusal 404 when there is none. */
  async patch(name: string, patch: PolicyPatch): Promise<string> {
    const id = this.#writable(name)
    const text = patch.text === undefined ? undefined : decodePolicy(patch.text)
    if (text === '') throw new Refusal(400, "'policy' parameter not supplied or empty")
    if (text !== undefined) await inTurns(policySteps(id, text), this.#turns)
    await this.#change(id, patch, (before) => {
      const known = before ?? (id === 'default' ? { ...plainSettings, text: defaultPolicy } : undefined)
      if (!known) throw new Refusal(404, 'policy does not exist')
      return { ...known, ...changesOf(patch), ...(text !== undefined && { text }) }
    })
    return id
  }

  async #change(
    id: string,
    write: PolicyPatch,
    change: (before: PolicyRow | undefined) => PolicySettings & { readonly text: string },
  ): Promise<void> {
    const modifiedAt = this.#clock.now()
    if (write.expiresAt !== undefined && write.expiresAt <= modifiedAt) {
      throw new Refusal(400, 'expiration must be in the future')
    }
    if (write.expiresAt !== undefined && id === 'default') throw new Refusal(400, 'the default policy cannot expire')
    await this.#view.transaction(async (tx) => {
      const stored = await tx.get(this.#view, id, policyRowSchema)
      const before = stored && !this.#isExpired(stored) ? stored : undefined
      checkVersion(write, before)
      const version = (stored?.version ?? 0) + 1
      const row = { ...change(before), format: 1 as const, version, modifiedAt }
      tx.put(this.#view, id, row)
      if (row.expiresAt !== undefined) tx.put(this.#expiring, id, { at: row.expiresAt })
      else if (stored?.expiresAt !== undefined) tx.remove(this.#expiring, id)
      tx.put(this.#epochs, this.#epoch, {})
    })
  }

  #writable(name: string): string {
    const id = name.toLowerCase()
    if (id === '') throw new Refusal(400, 'policy name must be provided in the URL')
    if (Buffer.byteLength(id) > maxNameBytes)
      throw new Refusal(400, `a policy's name has at most ${maxNameBytes} bytes`)
    if (immutable.has(id)) throw new Refusal(400, `cannot update ${JSON.stringify(id)} policy`)
    return id
  }

  /** An absent policy is fine. */
  async delete(name: string): Promise<void> {
    const id = name.toLowerCase()
    if (immutable.has(id)) throw new Refusal(400, `cannot delete ${JSON.stringify(id)} policy`)
    if (id === 'default') throw new Refusal(400, 'cannot delete default policy')
    await this.#view.transaction(async (tx) => {
      const row = await tx.get(this.#view, id, policyRowSchema)
      if (row === undefined) return
      tx.remove(this.#view, id)
      if (row.expiresAt !== undefined) tx.remove(this.#expiring, id)
      tx.put(this.#epochs, this.#epoch, {})
    })
  }

  /** Sorted by bytes, with `default` and, in the root namespace, `root`. `prefix`: those below it, without it. */
  async list(prefix = ''): Promise<string[]> {
    const folder = prefix.toLowerCase()
    const built = ['default', ...(this.#fixed('root') === undefined ? [] : ['root'])]
    const names = new Set(built.filter((name) => name.startsWith(folder)).map((name) => name.slice(folder.length)))
    for await (const name of allNames(this.#view, folder, this.#turns)) names.add(name)
    for await (const name of allNames(this.#expiring, folder, this.#turns)) {
      if ((await this.get(folder + name)) === undefined) names.delete(name)
    }
    return [...names].sort(compareUtf8)
  }

  /**
   * What these policies permit together; unknown names grant nothing. `epochVersion` is the version of this namespace's
   * `policies` row that the caller has just read: while it stays, the compiled ACL is current. Without identity, templated
   * rules are dropped.
   */
  async acl(names: readonly string[], epochVersion: string, identity?: Identity): Promise<Acl> {
    const ids = [...new Set(names.map((name) => name.toLowerCase()))].sort()
    const key = JSON.stringify([epochVersion, ids])
    const compiled = this.#compiled.get(key) ?? (await this.#compileOnce(key, ids))
    const mine = compiled.templated && identity ? identity : undefined
    const aclKey = mine ? `${key} ${mine.key}` : key
    const known = this.#acls.get(aclKey)
    const acl = known ?? aclOf(compiled, mine && ((name) => mine.template(name)))
    if (!known) this.#acls.set(aclKey, acl)
    return mine ? acl.prepare(this.#turns) : acl
  }

  #compileOnce(key: string, ids: readonly string[]): Promise<CompiledPolicies> {
    const running = this.#compiling.get(key)
    if (running) return running
    const made = this.#compile(ids)
      .then((compiled) => {
        this.#compiled.set(key, compiled)
        return compiled
      })
      .finally(() => this.#compiling.delete(key))
    this.#compiling.set(key, made)
    return made
  }

  async #compile(ids: readonly string[]): Promise<CompiledPolicies> {
    const context = { namespace: this.#namespace, now: () => this.#clock.now() }
    const root = ids.includes('root') && this.#fixed('root') !== undefined
    const policies = root ? ids.map((name) => ({ name, rules: [] })) : await this.parsed(ids)
    return new CompiledPolicies(policies, context).prepare(this.#turns)
  }

  /** The policies of these names, absent ones left out. */
  async parsed(names: readonly string[]): Promise<Policy[]> {
    const ids = [...new Set(names.map((name) => name.toLowerCase()))]
    const stored = ids.filter((id) => !immutable.has(id))
    const known = new Map(stored.map((id) => [id, this.#parsed.get(id)]))
    const found = await this.#rows.read(
      stored.map((id) => {
        const version = known.get(id)?.version
        return { key: this.#view.prefix + id, ...(version !== undefined && { known: version }) }
      }),
    )
    const results = new Map(stored.map((id, i) => [id, found[i]]))
    const policies: Policy[] = []
    for (const [i, id] of ids.entries()) {
      // Parsing is slow, and there may be thousands.
      if (i % 5 === 4) await this.#turns.next()
      policies.push(...(await this.#readPolicy(id, results.get(id), known.get(id)?.policy)))
    }
    return policies
  }

  async #readPolicy(id: string, row: ReadResult, before: Policy | undefined): Promise<Policy[]> {
    if (immutable.has(id)) return this.#builtInPolicy(id)
    if (row === 'same' && before) return [before]
    if (row === undefined || row === 'same') return this.#builtInPolicy(id)
    const stored = policyRowSchema.parse(JSON.parse(Buffer.from(row.value).toString()))
    const policy = policyOf(await inTurns(policySteps(id, stored.text), this.#turns), stored)
    this.#parsed.set(id, { version: row.version, policy })
    return [policy]
  }

  #builtInPolicy(id: string): Policy[] {
    const text = id === 'default' ? defaultPolicy : this.#fixed(id)
    return text === undefined ? [] : [parsePolicy(id, text)]
  }

  /** `root` is there in the root namespace alone. */
  #fixed(id: string): string | undefined {
    return id === 'root' && this.#namespace.id !== rootNamespace.id ? undefined : immutable.get(id)
  }

  #isExpired(row: PolicyRow): boolean {
    return row.expiresAt !== undefined && row.expiresAt <= this.#clock.now()
  }
}

async function* allNames(view: SecretStorage, prefix: string, turns: Turns): AsyncGenerator<string> {
  let after: string | undefined
  for (;;) {
    const page = await view.list(prefix, { depth: 'all', limit: pageSize, ...(after !== undefined && { after }) })
    yield* page
    after = page.at(-1)
    if (page.length < pageSize) return
    await turns.next()
  }
}

const builtIn = (name: string, text: string): PolicyDocument => ({
  ...plainSettings,
  name,
  text,
  version: 0,
  modifiedAt: 0,
})

function documentOf(name: string, row: PolicyRow): PolicyDocument {
  const { text, version, modifiedAt } = row
  return { name, text, version, modifiedAt, ...settingsOf(row) }
}

function settingsOf(from: Partial<PolicySettings>): PolicySettings {
  const { casRequired = false, allowSlashes = false, allowWildcards = false, expiresAt } = from
  return { casRequired, allowSlashes, allowWildcards, expiresAt }
}

function changesOf(patch: PolicyPatch): Partial<PolicySettings> {
  const { casRequired, allowSlashes, allowWildcards, expiresAt } = patch
  return {
    ...(casRequired !== undefined && { casRequired }),
    ...(allowSlashes !== undefined && { allowSlashes }),
    ...(allowWildcards !== undefined && { allowWildcards }),
    ...(expiresAt !== undefined && { expiresAt }),
  }
}

function policyOf(parsed: Policy, { expiresAt, allowSlashes, allowWildcards }: PolicyRow): Policy {
  return { ...parsed, allowSlashes, allowWildcards, ...(expiresAt !== undefined && { expiresAt }) }
}

function checkVersion({ cas, casRequired }: PolicyPatch, before: PolicyRow | undefined): void {
  if (cas === undefined) {
    if (!casRequired && !before?.casRequired) return
    throw new Refusal(400, 'check-and-set parameter required for this call')
  }
  if (cas === -1) {
    if (before) throw new Refusal(400, 'check-and-set parameter set to -1 on existing entry')
    return
  }
  if (cas !== (before?.version ?? 0)) {
    throw new Refusal(400, 'check-and-set parameter did not match the current version')
  }
}

/** Vault takes base64 too; HCL never looks like it. */
export function decodePolicy(text: string): string {
  const compact = text.replace(/[\r\n]/g, '')
  if (compact.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(compact)) return text
  return Buffer.from(compact, 'base64').toString('utf8')
}
