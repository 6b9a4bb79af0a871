/**
 * The second factor of logins: which enforcements apply, whether what was shown satisfies them, and the logins that wait
 * for it. A waiting login is a row: any node can finish it, once, within five minutes.
 */

import type { JsonObject } from '../../../lib/json/value.ts'
import { uuid } from '../../../lib/random.ts'
import type { LoginGrant } from '../../contracts/access/auth.ts'
import type { BegunLogin, LoginMfa, ProvedLogin } from '../../contracts/access/login-mfa.ts'
import { type MountInfo, Refusal } from '../../contracts/request.ts'
import type { Tx } from '../../contracts/secret-storage.ts'
import { type EntityRow, entityRowSchema, liveEntity } from '../entities/entity-row.ts'
import { ExpiringRows } from '../expiring-rows.ts'
import { type Credentials, passcodeOf, readMfaHeader, severalErrors } from './credentials.ts'
import { applies, type EnforcementStore } from './enforcement-store.ts'
import type { MethodStore } from './method-store.ts'
import {
  type EnforcementRow,
  hashOf,
  type MethodRow,
  type RequestRow,
  requestSchema,
  type SecretRow,
  type StateRow,
  stateSchema,
} from './mfa-rows.ts'
import type { MfaViews } from './mfa-views.ts'
import { judgePasscode } from './passcode-check.ts'
import { mayEnrol } from './self-enrolment.ts'
import type { NewSecret, TotpSecrets } from './totp-secrets.ts'

/** What a namespace sees of itself and of each above it. */
export interface MfaSource {
  readonly namespacePath: string
  readonly methods: MethodStore
  readonly enforcements: EnforcementStore
}

/** An enforcement with its methods, by id; one that is gone is missing. */
interface Demand {
  readonly rule: EnforcementRow
  readonly methods: ReadonlyMap<string, { readonly row: MethodRow; readonly fullName: string }>
}

/** Thrown inside a transaction: the request was used, or its time is over. */
const invalidRequest = () => new Refusal(400, 'invalid request ID')
const lifetimeMs = 5 * 60 * 1000
export const pendingWarning =
  'A login request was issued that is subject to MFA validation. Please make sure to validate the login by sending another request to mfa/validate endpoint.'

export class SecondFactor implements LoginMfa {
  readonly #views: MfaViews
  readonly #secrets: TotpSecrets
  readonly #sources: () => readonly MfaSource[]
  readonly #states: ExpiringRows
  readonly #requests: ExpiringRows

  /** `sources`: this namespace, then those above it. */
  constructor(views: MfaViews, secrets: TotpSecrets, sources: () => readonly MfaSource[]) {
    this.#views = views
    this.#secrets = secrets
    this.#sources = sources
    const shared = { due: views.options.due, kind: 'mfa' as const, namespaceId: views.namespace.id }
    this.#states = new ExpiringRows({ ...shared, view: views.states, folder: 'state' })
    this.#requests = new ExpiringRows({ ...shared, view: views.requests, folder: 'request' })
  }

  async atLogin(login: ProvedLogin): Promise<{ requirement?: JsonObject; warning?: string }> {
    const shown = readMfaHeader(login.header)
    const entity = login.entityId === '' ? undefined : await this.#views.options.identity.entityOf(login.entityId)
    const demands = await this.#demands(entity, login.mount)
    if (demands.length === 0) {
      const unused = entity && shown.size > 0
      return unused ? { warning: 'Found MFA header but failed to find MFA Enforcement Config' } : {}
    }
    // Passcodes belong to entities: who has none can't show one.
    if (!entity) throw new Refusal(403, 'permission denied')
    if (shown.size === 0) return { requirement: await this.#begin(login, entity, demands), warning: pendingWarning }
    const error = await this.#views.all.transaction((tx) =>
      this.#satisfy(tx, entity.id, demands, shown, async () => {}),
    )
    if (error !== undefined) throw new Refusal(403, 'permission denied')
    return {}
  }

  /** The login that waits under the id, which is over with this. Refusals: 400 for an id that is not (or no longer) one, 403 when the second factor is wrong. */
  async validate(
    requestId: string,
    shown: Credentials,
    mountOf: (uuid: string) => MountInfo | undefined,
  ): Promise<{ readonly begun: BegunLogin; readonly grant: LoginGrant }> {
    const { requests } = this.#views
    const name = hashOf(requestId)
    const { found, entity, demands } = await this.#waiting(name, mountOf)
    if (demands.length === 0) {
      throw new Refusal(
        400,
        'found nil or empty MFAEnforcement configuration: log in again, no second factor is wanted',
      )
    }
    const error = await requests.transaction((tx) =>
      this.#satisfy(
        tx,
        entity.id,
        demands,
        shown,
        async () => {
          const row = await tx.get(requests, name, requestSchema)
          if (!row) throw invalidRequest()
          this.#requests.remove(tx, name, row)
        },
        found.offered,
      ),
    )
    if (error !== undefined) throw new Refusal(403, error)
    const { mountUuid, path, grant, user } = found
    return { begun: { mountUuid, path, entityId: entity.id, user }, grant }
  }

  /**
   * A key for who logs in and has none. It is theirs once they show a passcode of it; asked for again it is another one.
   * Refusals are 400, as in `validate` for the request.
   */
  async enrol(
    requestId: string,
    methodId: string,
    mountOf: (uuid: string) => MountInfo | undefined,
  ): Promise<NewSecret> {
    const { requests } = this.#views
    const name = hashOf(requestId)
    const { entity, demands } = await this.#waiting(name, mountOf)
    const method = demands.map(({ methods }) => methods.get(methodId)).find((one) => one !== undefined)
    if (!method || !mayEnrol(entity, method.row, await this.#rules())) {
      throw new Refusal(
        400,
        `self-enrollment is not possible with MFA method ID ${JSON.stringify(methodId)}: it is not enabled, not asked for by this login, or the entity has a secret already`,
      )
    }
    const { shown, row: key } = await this.#secrets.make(method.row, entity.id)
    await requests.transaction(async (tx) => {
      const row = await tx.get(requests, name, requestSchema)
      if (!row) throw invalidRequest()
      tx.put(requests, name, jsonOf({ ...row, offered: { ...row.offered, [methodId]: key } }))
    })
    return shown
  }

  async #waiting(
    name: string,
    mountOf: (uuid: string) => MountInfo | undefined,
  ): Promise<{ readonly found: RequestRow; readonly entity: EntityRow; readonly demands: readonly Demand[] }> {
    const found = await this.#views.requests.get(name, requestSchema)
    const mount = found && mountOf(found.mountUuid)
    if (!found || !mount || found.dueAt <= (await this.#views.now())) throw invalidRequest()
    const entity = await this.#views.options.identity.entityOf(found.entityId)
    if (!entity || entity.disabled) throw new Refusal(403, 'permission denied')
    return { found, entity, demands: await this.#demands(entity, mount) }
  }

  async #begin(login: ProvedLogin, entity: EntityRow, demands: readonly Demand[]): Promise<JsonObject> {
    const id = uuid(this.#views.options.random)
    const dueAt = Math.ceil((await this.#views.now()) + lifetimeMs)
    const row = {
      format: 1,
      entityId: entity.id,
      mountUuid: login.mount.uuid,
      path: login.path,
      grant: login.grant,
      user: login.user,
      dueAt,
    } as const
    await this.#views.requests.transaction(async (tx) => this.#requests.put(tx, hashOf(id), jsonOf(row), undefined))
    const rules = await this.#rules()
    const enrols = (method: MethodRow) => mayEnrol(entity, method, rules)
    return { mfa_request_id: id, mfa_constraints: constraintsOf(demands, enrols) }
  }

  /** Of this namespace and those above, whomever they are for. */
  async #rules(): Promise<EnforcementRow[]> {
    const rules: EnforcementRow[] = []
    for (const { enforcements } of this.#sources()) rules.push(...(await enforcements.rules()))
    return rules
  }

  async #demands(entity: EntityRow | undefined, mount: MountInfo): Promise<Demand[]> {
    const sources = this.#sources()
    const rules = await this.#rules()
    if (rules.length === 0) return []
    const groups = entity && rules.some((rule) => rule.groupIds.length > 0) ? await this.#groupsOf(entity) : []
    const entityIds = entity ? [entity.id, ...entity.mergedIds] : []
    const matching = rules.filter((rule) => applies(rule, { mount, entityIds, groupIds: groups }))
    return Promise.all(matching.map(async (rule) => ({ rule, methods: await methodsOf(rule, sources) })))
  }

  async #groupsOf(entity: EntityRow): Promise<string[]> {
    const { direct, inherited } = await this.#views.options.identity.membershipsOf(entity)
    return [...direct, ...inherited].map((group) => group.id)
  }

  /**
   * Undefined when all demands are met: then the passcodes are used up, in one commit with what `met` does. Else Vault's
   * words, and the failures are counted.
   */
  async #satisfy(
    tx: Tx,
    entityId: string,
    demands: readonly Demand[],
    shown: Credentials,
    met: () => Promise<void>,
    offered: RequestRow['offered'] = {},
  ): Promise<string | undefined> {
    const view = this.#views.rows.view(`ns/${this.#views.namespace.id}/identity/entity/`)
    const entity = liveEntity(await tx.get(view, entityId, entityRowSchema))
    if (!entity || entity.disabled) throw new Refusal(403, 'permission denied')
    const judged = new Map<string, Judged>()
    const rules = Object.keys(offered).length > 0 ? await this.#rules() : []
    const asked: Asked = {
      tx,
      entity,
      shown,
      nowMs: await this.#views.now(),
      offered: (method) => (mayEnrol(entity, method, rules) ? offered[method.id] : undefined),
    }
    for (const { rule, methods } of demands) {
      const error = await this.#satisfyOne(asked, rule, methods, judged)
      if (error === undefined) continue
      for (const one of judged.values()) if (one.error !== undefined) this.#remember(tx, one)
      return `failed to satisfy enforcement ${rule.name}. error: ${error}`
    }
    for (const one of judged.values()) this.#remember(tx, one)
    this.#keepOffered(asked, [...judged.values()])
    await met()
    return undefined
  }

  async #satisfyOne(
    asked: Asked,
    rule: EnforcementRow,
    methods: Demand['methods'],
    judged: Map<string, Judged>,
  ): Promise<string | undefined> {
    const { shown } = asked
    const missing: string[] = []
    const errors: string[] = []
    for (const id of rule.methodIds) {
      const method = methods.get(id)
      if (!method) {
        missing.push(`failed to find MFA config for method ID ${id}`)
        continue
      }
      const given = shown.get(id) ?? (method.row.name === '' ? undefined : shown.get(method.fullName))
      if (!given) {
        missing.push(
          `failed to find MFA credentials associated with an MFA method ID ${id}, method name ${method.fullName}`,
        )
        continue
      }
      // A method that two enforcements name is asked once.
      const one = judged.get(id) ?? (await this.#judge(asked, method.row, given))
      judged.set(id, one)
      if (one.error === undefined) return undefined
      errors.push(one.error)
    }
    if (missing.length === rule.methodIds.length) return `failed to sanitize MFA creds, ${severalErrors(missing)}`
    return severalErrors([...errors, `login MFA validation failed for methodID: [${rule.methodIds.join(' ')}]`])
  }

  async #judge(asked: Asked, method: MethodRow, given: readonly string[]): Promise<Judged> {
    const { tx, entity, nowMs } = asked
    const name = `${method.id}/${entity.id}`
    const factor = passcodeOf(given)
    if ('error' in factor) return { name, error: factor.error }
    const own = await this.#secrets.of(tx, entity, method.id)
    const offered = own ? undefined : asked.offered(method)
    const secret = own ?? offered
    if (!secret) {
      return {
        name,
        error: `MFA secret for method name ${JSON.stringify(method.name)} not present in entity "${entity.id}"`,
      }
    }
    const before = await tx.get(this.#views.states, name, stateSchema)
    const { maxAttempts } = method
    const judgement = judgePasscode({ secret, state: before, passcode: factor.passcode, maxAttempts, nowMs })
    if (!judgement.ok) return { name, before, next: judgement.next, error: judgement.error }
    return { name, before, next: judgement.next, ...(offered ? { kept: { methodId: method.id, key: offered } } : {}) }
  }

  /** Several at once would each be written over what the entity was before. */
  #keepOffered({ tx, entity }: Asked, judged: readonly Judged[]): void {
    let now = entity
    for (const { kept } of judged) if (kept) now = this.#secrets.keep(tx, now, kept.methodId, kept.key)
  }

  #remember(tx: Tx, { name, before, next }: Judged): void {
    if (next) this.#states.put(tx, name, { ...next }, before)
  }
}

interface Asked {
  readonly tx: Tx
  readonly entity: EntityRow
  readonly shown: Credentials
  readonly nowMs: number
  /** The key that was made for this login, for who has none. */
  offered(method: MethodRow): SecretRow | undefined
}

interface Judged {
  /** Of the state's row. */
  readonly name: string
  readonly before?: StateRow | undefined
  readonly next?: StateRow | undefined
  readonly error?: string
  /** A key whose first passcode this was. */
  readonly kept?: { readonly methodId: string; readonly key: SecretRow }
}

/** As storage takes it. */
const jsonOf = (row: RequestRow) => ({
  ...row,
  grant: { ...row.grant, alias: row.grant.alias && { ...row.grant.alias } },
})

/** By the names of the enforcements; those of two namespaces may be called the same. */
function constraintsOf(demands: readonly Demand[], enrols: (method: MethodRow) => boolean): JsonObject {
  const constraints: Record<string, JsonObject> = Object.create(null)
  for (const { rule, methods } of demands) {
    const any = rule.methodIds.flatMap((id) => {
      const method = methods.get(id)
      if (!method) return []
      const enrolment = enrols(method.row) ? { self_enrollment_enabled: true } : {}
      return [{ type: 'totp', id, uses_passcode: true, name: method.fullName, ...enrolment }]
    })
    constraints[rule.name in constraints ? `${rule.name}-${rule.id}` : rule.name] = { any }
  }
  return constraints
}

async function methodsOf(rule: EnforcementRow, sources: readonly MfaSource[]): Promise<Demand['methods']> {
  const found = new Map<string, { row: MethodRow; fullName: string }>()
  for (const id of rule.methodIds) {
    for (const { methods, namespacePath } of sources) {
      const row = await methods.byId(id)
      if (!row) continue
      found.set(id, { row, fullName: `${namespacePath}${row.name}` })
      break
    }
  }
  return found
}
