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
import { type Credentials, passcodeOf, readMfaHeader, severalErrors } from './credentials.ts'
import { applies, type EnforcementStore } from './enforcement-store.ts'
import { ExpiringRows } from './expiry.ts'
import type { MethodStore } from './method-store.ts'
import { type EnforcementRow, hashOf, type MethodRow, requestSchema, type StateRow, stateSchema } from './mfa-rows.ts'
import type { MfaViews } from './mfa-views.ts'
import { judgePasscode } from './passcode-check.ts'
import type { TotpSecrets } from './totp-secrets.ts'

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
    const shared = { due: views.options.due, namespaceId: views.namespace.id }
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
    const { requests, options } = this.#views
    const name = hashOf(requestId)
    const found = await requests.get(name, requestSchema)
    const mount = found && mountOf(found.mountUuid)
    if (!found || !mount || found.dueAt <= (await this.#views.now())) throw invalidRequest()
    const entity = await options.identity.entityOf(found.entityId)
    if (!entity || entity.disabled) throw new Refusal(403, 'permission denied')
    const demands = await this.#demands(entity, mount)
    if (demands.length === 0) {
      throw new Refusal(
        400,
        'found nil or empty MFAEnforcement configuration: log in again, no second factor is wanted',
      )
    }
    const error = await requests.transaction((tx) =>
      this.#satisfy(tx, entity.id, demands, shown, async () => {
        const row = await tx.get(requests, name, requestSchema)
        if (!row) throw invalidRequest()
        this.#requests.remove(tx, name, row)
      }),
    )
    if (error !== undefined) throw new Refusal(403, error)
    const { mountUuid, path, grant } = found
    return { begun: { mountUuid, path, entityId: entity.id }, grant }
  }

  async #begin(login: ProvedLogin, entity: EntityRow, demands: readonly Demand[]): Promise<JsonObject> {
    const id = uuid(this.#views.options.random)
    const dueAt = Math.ceil((await this.#views.now()) + lifetimeMs)
    const { grant } = login
    const row = {
      format: 1,
      entityId: entity.id,
      mountUuid: login.mount.uuid,
      path: login.path,
      grant: { ...grant, alias: grant.alias && { ...grant.alias } },
      dueAt,
    }
    await this.#views.requests.transaction(async (tx) => this.#requests.put(tx, hashOf(id), row, undefined))
    return { mfa_request_id: id, mfa_constraints: constraintsOf(demands) }
  }

  async #demands(entity: EntityRow | undefined, mount: MountInfo): Promise<Demand[]> {
    const sources = this.#sources()
    const rules: EnforcementRow[] = []
    for (const { enforcements } of sources) rules.push(...(await enforcements.rules()))
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
  ): Promise<string | undefined> {
    const view = this.#views.rows.view(`ns/${this.#views.namespace.id}/identity/entity/`)
    const entity = liveEntity(await tx.get(view, entityId, entityRowSchema))
    if (!entity || entity.disabled) throw new Refusal(403, 'permission denied')
    const judged = new Map<string, Judged>()
    const nowMs = await this.#views.now()
    for (const { rule, methods } of demands) {
      const error = await this.#satisfyOne(tx, entity, rule, methods, shown, judged, nowMs)
      if (error === undefined) continue
      for (const one of judged.values()) if (one.error !== undefined) this.#remember(tx, one)
      return `failed to satisfy enforcement ${rule.name}. error: ${error}`
    }
    for (const one of judged.values()) this.#remember(tx, one)
    await met()
    return undefined
  }

  async #satisfyOne(
    tx: Tx,
    entity: EntityRow,
    rule: EnforcementRow,
    methods: Demand['methods'],
    shown: Credentials,
    judged: Map<string, Judged>,
    nowMs: number,
  ): Promise<string | undefined> {
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
      const one = judged.get(id) ?? (await this.#judge(tx, entity, method.row, given, nowMs))
      judged.set(id, one)
      if (one.error === undefined) return undefined
      errors.push(one.error)
    }
    if (missing.length === rule.methodIds.length) return `failed to sanitize MFA creds, ${severalErrors(missing)}`
    return severalErrors([...errors, `login MFA validation failed for methodID: [${rule.methodIds.join(' ')}]`])
  }

  async #judge(tx: Tx, entity: EntityRow, method: MethodRow, given: readonly string[], nowMs: number): Promise<Judged> {
    const name = `${method.id}/${entity.id}`
    const factor = passcodeOf(given)
    if ('error' in factor) return { name, error: factor.error }
    const secret = await this.#secrets.of(tx, entity, method.id)
    if (!secret) {
      return {
        name,
        error: `MFA secret for method name ${JSON.stringify(method.name)} not present in entity "${entity.id}"`,
      }
    }
    const before = await tx.get(this.#views.states, name, stateSchema)
    const { maxAttempts } = method
    const judgement = judgePasscode({ secret, state: before, passcode: factor.passcode, maxAttempts, nowMs })
    return { name, before, next: judgement.next, ...(judgement.ok ? {} : { error: judgement.error }) }
  }

  #remember(tx: Tx, { name, before, next }: Judged): void {
    if (next) this.#states.put(tx, name, { ...next }, before)
  }
}

interface Judged {
  /** Of the state's row. */
  readonly name: string
  readonly before?: StateRow | undefined
  readonly next?: StateRow | undefined
  readonly error?: string
}

/** By the names of the enforcements; those of two namespaces may be called the same. */
function constraintsOf(demands: readonly Demand[]): JsonObject {
  const constraints: Record<string, JsonObject> = Object.create(null)
  for (const { rule, methods } of demands) {
    const any = rule.methodIds.flatMap((id) => {
      const name = methods.get(id)?.fullName
      return name === undefined ? [] : [{ type: 'totp', id, uses_passcode: true, name }]
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
