/** The way of one request. `steps` is its documentation: each does one thing to the exchange or refuses. */
import type { Clock } from '../../lib/clock.ts'
import type { JsonObject } from '../../lib/json/value.ts'
import type { Logger } from '../../lib/log.ts'
import { pooledUuids, type RandomBytes } from '../../lib/random.ts'
import { createTurns, type Turns } from '../../lib/turns.ts'
import type { Admission, AdmissionHeaders, LeaseCounts, Lockout } from '../contracts/access/admission.ts'
import type { Auditor } from '../contracts/audit.ts'
import { rootNamespace } from '../contracts/epochs.ts'
import { Refusal, type Reply } from '../contracts/request.ts'
import type { Rows } from '../contracts/secret-storage.ts'
import type { LeaseStore } from '../leases/lease-store.ts'
import type { SystemTtl } from '../mounts/mount-json.ts'
import type { NamespaceTable } from '../namespaces/namespace-table.ts'
import type { Denials } from '../policies/explain/denials.ts'
import type { RequestMeter } from '../telemetry/request-meter.ts'
import type { PresentedTokens } from '../tokens/presented-tokens.ts'
import type { TokenRevocation } from '../tokens/token-revocation.ts'
import type { TokenStore } from '../tokens/token-store.ts'
import type { Wrappings } from '../wrapping/wrapping.ts'
import type { Authority, Findings } from './access/authority.ts'
import { proveCaller } from './access/caller.ts'
import { denialOf, judge, judgeExisting } from './access/judge.ts'
import { locate, refuseLocked } from './access/locate.ts'
import type { NamespaceNouns, NounsOf } from './access/namespace-nouns.ts'
import { auditedRequest, auditedResponse } from './answer/audited.ts'
import { helpFor } from './answer/help.ts'
import { describeError, internalError, refusalOf, standingFields } from './answer/refusal-of.ts'
import { filtered, settle, settleRefusal } from './answer/settle.ts'
import { wrapAnswer } from './answer/wrap.ts'
import { Deadline } from './deadline.ts'
import { type Answer, type Exchange, type Incoming, type Made, newExchange, noInput } from './exchange.ts'
import { namesText } from './input/names-text.ts'
import { readGiven } from './input/request-body.ts'
import { checkHeaders } from './input/request-headers.ts'
import { LiveCall } from './live-call.ts'
import { guardedLogin, identified, type Login } from './login/login.ts'
import { settleLogin } from './login/settle-login.ts'
import { passedHeaders } from './passed-headers.ts'
import { below, effectOf, findRoute, refuseMissing, routeKeys } from './route.ts'

export interface PipelineOptions {
  readonly rows: Rows
  readonly namespaces: NamespaceTable
  readonly nounsOf: NounsOf
  readonly wrappings: Wrappings
  /** The text of an envelope, for what is wrapped. */
  readonly render: (answer: Answer) => string
  readonly admission?: Admission
  readonly leaseCounts?: LeaseCounts
  readonly lockout?: Lockout
  readonly tokens: TokenStore
  readonly revocation: TokenRevocation
  readonly leases: LeaseStore
  readonly presented: PresentedTokens
  readonly authority: Authority
  readonly auditor: Auditor
  readonly clock: Clock
  readonly random: RandomBytes
  readonly log: Logger
  readonly ttl: SystemTtl
  /** No keys in this process. */
  readonly sealed: () => boolean
  /** Another node has sealed the cluster: forget the keys. */
  readonly sealedElsewhere: () => void
  /** Remembers what policy refused. */
  readonly denials?: Denials
  /** Counts and times what passes. */
  readonly meter?: RequestMeter
  /** Large bodies are read in slices; absent: in a queue of their own. */
  readonly turns?: Turns
}

export class Pipeline {
  readonly #options: PipelineOptions
  readonly #newId: () => string
  readonly #turns: Turns

  constructor(options: PipelineOptions) {
    this.#options = options
    this.#newId = pooledUuids(options.random)
    this.#turns = options.turns ?? createTurns()
  }

  /** Never rejects: whatever goes wrong is an answer. */
  async handle(incoming: Incoming): Promise<Answer> {
    const { clock } = this.#options
    const x = newExchange(incoming, this.#newId(), clock.now(), new Deadline(clock, incoming))
    const begun = this.#options.meter?.begin(x) ?? 0
    let answer: Answer
    try {
      answer = await (this.#whileSealed(x) ?? this.#inOrder(x))
    } catch (error) {
      const denial = denialOf(x)
      if (denial) this.#options.denials?.note(denial)
      answer = settleRefusal(x, refusalOf(x, error, this.#options.log))
    }
    if (x.lastUse) await this.#useUp(x)
    answer = x.known ? await this.#record(x, answer) : answer
    x.deadline.end()
    this.#options.meter?.end(x, begun)
    return x.headers ? { ...answer, headers: { ...x.headers, ...answer.headers } } : answer
  }

  /** The steps. Those that seldom wait are only awaited when they do. */
  async #inOrder(x: Exchange): Promise<Answer> {
    checkHeaders(x.incoming)
    const reading = readGiven(x, this.#turns)
    if (reading) await reading
    const preparing = this.#options.authority.prepare()
    if (preparing) await preparing
    const finding = this.#find(x)
    if (finding) await finding
    const { admission } = this.#options
    const admitting = admission && this.#admit(x, admission)
    if (admitting) await admitting
    const revision = admission?.revision
    const asking = this.#readAuthority(x)
    const findings = asking instanceof Promise ? await asking : asking
    // Another process changed the quotas: the new ones count from this request on.
    if (admission && admission.revision !== revision) await this.#admit(x, admission)
    const proving = proveCaller(x, findings, this.#options)
    if (proving) await proving
    x.call = this.#callOf(x)
    const judging = judge(x)
    if (judging) await judging
    refuseMissing(x)
    if (x.incoming.verb === 'help') return this.#help(x)
    const { operation, call } = x
    if (!operation || !call) throw new Error('a request without operation')
    if (operation.deadline === 'none') x.deadline.unlimited = true
    if (effectOf(operation, x) !== 'none') await this.#recordRequest(x)
    this.#checkInput(x)
    const reply =
      x.mount?.info.class === 'auth' && operation.access === 'public'
        ? await guardedLogin(operation, this.#loginOf(x, call))
        : await operation.handle(call)
    const answer = settlesSlowly(x, reply) ? await this.#settleSlowly(x, reply) : settle(x, reply, null)
    return x.wrapTtlMs > 0 ? wrapAnswer(x, answer, { ...this.#options, namespace: nounsIn(x).info }) : answer
  }

  #loginOf(x: Exchange, call: LiveCall): Login {
    if (!x.mount) throw new Error('a login without mount')
    return { mount: x.mount, namespace: nounsIn(x).info, call, lockout: this.#options.lockout }
  }

  /** Rate limits come before a token is looked at: they also keep out who has none. */
  #admit(x: Exchange, admission: Admission): void | Promise<void> {
    const { mount } = x
    const wantsRole =
      mount && x.operation?.access === 'public' && admission.wantsRole(nounsIn(x).info.path, mount.info.path)
    const call = wantsRole ? this.#callOf(x) : undefined
    if (!mount || !call) return this.#admitAs(x, admission, undefined)
    return identified(mount, call).then((who) => this.#admitAs(x, admission, who?.role))
  }

  #admitAs(x: Exchange, admission: Admission, role: string | undefined): void | Promise<void> {
    const arrival = {
      namespacePath: nounsIn(x).info.path,
      path: x.path,
      mountPath: x.mount?.info.path,
      remoteAddress: x.incoming.remote.address,
    }
    try {
      const headers = admission.admit(role ? { ...arrival, role } : arrival)
      if (!(headers instanceof Promise)) x.headers = headers
      else {
        const admitted = (known: AdmissionHeaders) => {
          x.headers = known
        }
        return headers.then(admitted, (error: unknown) => this.#refused(x, admission, error))
      }
    } catch (error) {
      return this.#refused(x, admission, error)
    }
  }

  /** Unless another process has changed the quotas: nobody is refused by one that is gone. */
  async #refused(x: Exchange, admission: Admission, error: unknown): Promise<void> {
    if (await admission.renew()) return this.#admit(x, admission)
    x.known = admission.auditRefusals
    throw error
  }

  /** Where it is and who answers it, by what is known; what is not known is asked of storage. */
  #find(x: Exchange): void | Promise<void> {
    const { namespaces, nounsOf } = this.#options
    if (!locate(x, namespaces.known, nounsOf)) return this.#findAnew(x)
    const { mounts } = nounsIn(x)
    if (mounts.knownVersion === undefined) return this.#findAnew(x)
    findRoute(x, mounts.known)
  }

  async #findAnew(x: Exchange): Promise<void> {
    const { namespaces, nounsOf } = this.#options
    if (!locate(x, await namespaces.current(), nounsOf)) throw new Refusal(404, 'namespace not found')
    const { mounts } = nounsIn(x)
    findRoute(x, mounts.knownVersion === undefined ? await mounts.load() : mounts.known)
  }

  /** init, unseal, seal-status, health, leader: without token, policy and audit, sealed or not. */
  #whileSealed(x: Exchange): Promise<Answer> | undefined {
    const { sealed } = this.#options
    const { path, verb } = x.incoming
    if (path.startsWith('sys/') && verb !== 'help' && isRoot(x.incoming.namespace)) {
      x.nouns = this.#options.nounsOf(rootNamespace)
      findRoute(x, x.nouns.mounts.known)
      const operations = Object.values(x.match?.route.on ?? {})
      if (operations.some((operation) => operation.sealed === 'allowed')) return this.#status(x)
    }
    if (sealed()) throw new Refusal(503, 'Vault is sealed')
    return undefined
  }

  async #status(x: Exchange): Promise<Answer> {
    if (!x.operation) throw new Refusal(405, [])
    if (x.operation.sealed !== 'allowed' && this.#options.sealed()) throw new Refusal(503, 'Vault is sealed')
    if (x.operation.sealed !== 'allowed') return this.#inOrder(x)
    const reading = readGiven(x, this.#turns)
    if (reading) await reading
    findRoute(x, nounsIn(x).mounts.known)
    this.#checkInput(x)
    const call = this.#callOf(x)
    if (!call) throw new Error('a status route without mount')
    return settle(x, await x.operation.handle(call), null)
  }

  #readAuthority(x: Exchange): Findings | Promise<Findings> {
    const token = x.operation?.access === 'public' ? '' : x.incoming.token
    const reading = this.#options.authority.read(nounsIn(x), token, routeKeys(x))
    return reading instanceof Promise ? reading.then((findings) => this.#adopt(x, findings)) : this.#adopt(x, reading)
  }

  #adopt(x: Exchange, findings: Findings): Findings | Promise<Findings> {
    if (findings.sealed) {
      this.#options.sealedElsewhere()
      throw new Refusal(503, 'Vault is sealed')
    }
    x.known = true
    x.rows = findings.rows
    if (findings.mounts === x.view && findings.namespaces === x.tree) {
      refuseLocked(x, findings.namespaces)
      return findings
    }
    // Other mount, other rows, perhaps another kind of access: everything is asked again, as of now.
    const finding = this.#find(x)
    return finding ? finding.then(() => this.#readAuthority(x)) : this.#readAuthority(x)
  }

  #callOf(x: Exchange): LiveCall | undefined {
    const { incoming, mount, match, operation, converted } = x
    if (!mount || !match || !operation || !converted) return undefined
    const storage = x.rows && x.rows.size > 0 ? this.#options.rows.overlay(mount.storage, x.rows) : mount.storage
    const call = new LiveCall({
      id: x.id,
      operation: incoming.verb === 'help' ? 'read' : incoming.verb,
      path: below(x.path, mount.info.path),
      params: match.params,
      input: (converted instanceof Refusal ? noInput : converted.input) as JsonObject,
      mount: mount.info,
      namespace: nounsIn(x).info,
      caller: x.token?.caller,
      remote: incoming.remote,
      headers: mount.builtin ? incoming.headers : passedHeaders(x),
      deadline: x.deadline,
      now: x.now,
      storage,
      route: match.route,
      warnings: x.warnings,
      body: incoming.body,
      stream: incoming.stream,
      leases: () => this.#leasesOf(x),
      checkCaller: async (tx) => x.token && this.#options.tokens.checkAlive(tx, x.token),
      acl: x.acl,
      existsChanged: (exists) => judgeExisting(x, exists),
    })
    if (mount.builtin && x.token && x.acl) {
      this.#options.presented.set(call, { token: incoming.token, live: x.token, acl: x.acl })
    }
    return call
  }

  #leasesOf(x: Exchange) {
    const { leases, tokens } = this.#options
    const { mount, token } = x
    if (!mount || !token) throw new Error('only a call with a token can have leases')
    return leases.for({
      namespace: nounsIn(x).info,
      mount,
      path: x.path,
      signal: x.deadline.signal,
      tokenId: tokens.leaseHolder(token),
      checkToken: (tx) => tokens.checkAlive(tx, token),
      ...(token.row.type === 'batch' && token.row.expiresAt > 0 ? { notAfter: token.row.expiresAt } : {}),
    })
  }

  #checkInput(x: Exchange): void {
    const { converted } = x
    if (converted instanceof Refusal) throw converted
    if (!converted) return
    const { unknown, replaced } = converted
    if (unknown.length > 0) x.warnings.push(`Endpoint ignored these unrecognized parameters: ${namesText(unknown)}`)
    if (replaced.length > 0) {
      x.warnings.push(
        `Endpoint replaced the value of these parameters with the values captured from the endpoint's path: ${namesText(replaced)}`,
      )
    }
  }

  #help(x: Exchange): Answer {
    const path = x.mount ? below(x.path, x.mount.info.path) : x.path
    const body = x.match ? helpFor(path, x.match.route) : {}
    return { requestId: x.id, status: 200, kind: 'document', body }
  }

  /** Lists without what policy keeps back. Tokens for logins; what was made is remembered so that it can be undone. */
  async #settleSlowly(x: Exchange, reply: Reply): Promise<Answer> {
    const { leases } = this.#options
    if (reply.kind === 'data') return settle(x, await filtered(x, reply, this.#turns), null)
    if (reply.kind === 'login') return settleLogin(x, reply, { ...this.#options, nouns: nounsIn(x) })
    if (reply.kind === 'auth') {
      x.made = await this.#madeBy(String(reply.auth['client_token'] ?? ''))
      return settle(x, reply, reply.auth)
    }
    if (reply.kind === 'lease' && reply.data !== null) {
      x.leaseId = reply.lease.id
      if (x.lastUse) {
        await leases.revoke(reply.lease.id, x.deadline.signal)
        throw new Refusal(
          400,
          'Secret cannot be returned; token had one use left, so leased credentials were immediately revoked.',
        )
      }
    }
    return settle(x, reply, null)
  }

  /** Batch tokens have nothing to take back. */
  async #madeBy(token: string): Promise<Made | undefined> {
    const { tokens } = this.#options
    if (token === '') return undefined
    const id = tokens.idOf(token)
    const row = tokens.isBatch(token) ? tokens.openBatch(token) : await tokens.find(id)
    return row && { id, token, row, identityPolicies: [] }
  }

  async #recordRequest(x: Exchange): Promise<void> {
    const audited = auditedRequest(x)
    await this.#options.auditor.request(audited)
    x.audited = audited
  }

  /** No answer without its line; what this request made is undone when the line is refused. */
  async #record(x: Exchange, answer: Answer): Promise<Answer> {
    const { auditor, clock } = this.#options
    try {
      const error = answer.kind === 'errors' && answer.errors.length > 0 ? answer.errors.join('; ') : undefined
      const response = auditedResponse(x, answer, clock.now())
      if (x.audited) await auditor.response(x.audited, response)
      else await auditor.exchange(auditedRequest(x, error), response)
      return answer
    } catch (error) {
      this.#options.log.error('audit refused', { request: x.id, error: describeError(error), ...standingFields(x) })
      await this.#undo(x)
      return settleRefusal(x, internalError(x))
    }
  }

  async #undo(x: Exchange): Promise<void> {
    const { revocation, leases, log } = this.#options
    try {
      if (x.made?.row.type === 'service' && x.made.row.renewedAt === 0)
        await revocation.revoke(x.made.id, x.deadline.signal)
      if (x.wrapped) await revocation.revoke(x.wrapped.id, x.deadline.signal)
      if (x.leaseId !== undefined) await leases.withdraw(x.leaseId, x.deadline.signal)
    } catch (error) {
      log.error('undo failed', { request: x.id, error: describeError(error) })
    }
  }

  /** A token without uses is refused anyway: this only takes away what it still holds. */
  async #useUp(x: Exchange): Promise<void> {
    const { revocation, log } = this.#options
    if (!x.token) return
    await revocation.revoke(x.token.id, x.deadline.signal).catch((error: unknown) => {
      log.warn('revocation of a used-up token failed', { request: x.id, error: describeError(error) })
    })
  }
}

function nounsIn(x: Exchange): NamespaceNouns {
  if (!x.nouns) throw new Error('a request that was not located')
  return x.nouns
}

const settlesSlowly = ({ verdict }: Exchange, { kind }: Reply) =>
  kind === 'login' || kind === 'auth' || kind === 'lease' || verdict?.list !== undefined
const isRoot = (namespace: string) => namespace === '' || namespace === 'root'
