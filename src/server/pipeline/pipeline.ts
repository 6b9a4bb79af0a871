/** The way of one request. `steps` is its documentation: each does one thing to the exchange or refuses. */
import type { Clock } from '../../lib/clock.ts'
import type { JsonObject } from '../../lib/json/value.ts'
import type { Logger } from '../../lib/log.ts'
import { pooled, type RandomBytes, uuid } from '../../lib/random.ts'
import type { Auditor } from '../contracts/audit.ts'
import { rootNamespace } from '../contracts/epochs.ts'
import { type Operation, Refusal } from '../contracts/request.ts'
import type { Rows } from '../contracts/secret-storage.ts'
import { OutcomeUnknown, StorageDown, StorageFull } from '../contracts/storage.ts'
import type { LeaseStore } from '../leases/lease-store.ts'
import type { SystemTtl } from '../mounts/mount-json.ts'
import type { MountTable } from '../mounts/mount-table.ts'
import type { PresentedTokens } from '../tokens/presented-tokens.ts'
import type { TokenRevocation } from '../tokens/token-revocation.ts'
import type { TokenStore } from '../tokens/token-store.ts'
import { auditedRequest, auditedResponse } from './audited.ts'
import type { Authority, Findings } from './authority.ts'
import { proveCaller } from './caller.ts'
import { Deadline } from './deadline.ts'
import type { Answer, Exchange, Incoming } from './exchange.ts'
import { helpFor } from './help.ts'
import { givenBy } from './input/request-body.ts'
import { judge, judgeExisting } from './judge.ts'
import { LiveCall } from './live-call.ts'
import { mint } from './mint.ts'
import { below, findRoute, refuseMissing, routeKeys } from './route.ts'
import { settle, settleRefusal } from './settle.ts'

export interface PipelineOptions {
  readonly rows: Rows
  readonly mounts: MountTable
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
}

const noHeaders: Readonly<Record<string, string | undefined>> = Object.freeze(Object.create(null))
const noInput: JsonObject = Object.freeze(Object.create(null))

export class Pipeline {
  readonly #options: PipelineOptions
  readonly #ids: RandomBytes

  constructor(options: PipelineOptions) {
    this.#options = options
    this.#ids = pooled(options.random)
  }

  /** Never rejects: whatever goes wrong is an answer. */
  async handle(incoming: Incoming): Promise<Answer> {
    const { clock } = this.#options
    const x: Exchange = {
      incoming,
      id: uuid(this.#ids),
      now: clock.now(),
      warnings: [],
      given: noInput,
      known: false,
      remainingUses: 0,
      lastUse: false,
      deadline: new Deadline(clock, incoming),
    }
    let answer: Answer
    try {
      answer = (await this.#whileSealed(x)) ?? (await this.#inOrder(x))
    } catch (error) {
      answer = settleRefusal(x, this.#refusalOf(x, error))
    }
    if (x.lastUse) await this.#useUp(x)
    answer = x.known ? await this.#record(x, answer) : answer
    x.deadline.end()
    return answer
  }

  /** The steps. Those that seldom wait are only awaited when they do. */
  async #inOrder(x: Exchange): Promise<Answer> {
    this.#refuseNamespace(x)
    x.given = givenBy(x.incoming)
    const preparing = this.#options.authority.prepare()
    if (preparing) await preparing
    findRoute(x, this.#options.mounts.known)
    const findings = await this.#readAuthority(x)
    const proving = proveCaller(x, findings, this.#options.tokens)
    if (proving) await proving
    this.#refuseWrapping(x)
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
    const reply = await operation.handle(call)
    return this.#settle(x, reply)
  }

  /** init, unseal, seal-status, health, leader: without token, policy and audit, sealed or not. */
  async #whileSealed(x: Exchange): Promise<Answer | undefined> {
    const { mounts, sealed } = this.#options
    const { path, verb } = x.incoming
    if (path.startsWith('sys/') && verb !== 'help') {
      findRoute(x, mounts.known)
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
    x.given = givenBy(x.incoming)
    findRoute(x, this.#options.mounts.known)
    this.#checkInput(x)
    const call = this.#callOf(x)
    if (!call) throw new Error('a status route without mount')
    return settle(x, await x.operation.handle(call), null)
  }

  #refuseNamespace(x: Exchange): void {
    const { namespace } = x.incoming
    if (namespace !== '' && namespace !== 'root') throw new Refusal(404, 'namespace not found')
  }

  async #readAuthority(x: Exchange): Promise<Findings> {
    const { authority, mounts, sealedElsewhere } = this.#options
    const token = x.operation?.access === 'public' ? '' : x.incoming.token
    const before = mounts.known
    const findings = await authority.read(token, routeKeys(x))
    if (findings.sealed) {
      sealedElsewhere()
      throw new Refusal(503, 'Vault is sealed')
    }
    x.known = true
    x.rows = findings.rows
    if (findings.mounts === before) return findings
    findRoute(x, findings.mounts)
    // Other mount, other rows, perhaps another kind of access: everything is asked again, as of now.
    return this.#readAuthority(x)
  }

  #refuseWrapping(x: Exchange): void {
    if (x.incoming.wrapTtlMs > 0) {
      throw new Refusal(400, 'response wrapping is not supported by this server: send no X-Vault-Wrap-TTL header')
    }
  }

  #callOf(x: Exchange): LiveCall | undefined {
    const { incoming, mount, match, operation, converted } = x
    if (!mount || !match || !operation || !converted) return undefined
    const storage = x.rows && x.rows.size > 0 ? this.#options.rows.overlay(mount.storage, x.rows) : mount.storage
    const call = new LiveCall({
      id: x.id,
      operation: incoming.verb === 'help' ? 'read' : incoming.verb,
      path: below(incoming.path, mount.info.path),
      params: match.params,
      input: (converted instanceof Refusal ? noInput : converted.input) as JsonObject,
      mount: mount.info,
      namespace: rootNamespace,
      caller: x.token?.caller,
      remote: incoming.remote,
      headers: mount.builtin ? incoming.headers : passedHeaders(x),
      deadline: x.deadline,
      now: x.now,
      storage,
      route: match.route,
      warnings: x.warnings,
      body: incoming.body,
      leases: () => this.#leasesOf(x),
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
      mount,
      path: x.incoming.path,
      signal: x.deadline.signal,
      tokenId: token.id,
      checkToken: (tx) => tokens.check(tx, token.id),
    })
  }

  #checkInput(x: Exchange): void {
    const { converted } = x
    if (converted instanceof Refusal) throw converted
    if (!converted) return
    const { unknown, replaced } = converted
    if (unknown.length > 0) x.warnings.push(`Endpoint ignored these unrecognized parameters: [${unknown.join(' ')}]`)
    if (replaced.length > 0) {
      x.warnings.push(
        `Endpoint replaced the value of these parameters with the values captured from the endpoint's path: [${replaced.join(' ')}]`,
      )
    }
  }

  #help(x: Exchange): Answer {
    const path = x.mount ? below(x.incoming.path, x.mount.info.path) : x.incoming.path
    const body = x.match ? helpFor(path, x.match.route) : {}
    return { requestId: x.id, status: 200, kind: 'document', body }
  }

  /** Tokens for logins; what was made is remembered so that it can be undone. */
  async #settle(x: Exchange, reply: Awaited<ReturnType<Operation['handle']>>): Promise<Answer> {
    const { tokens, ttl, clock, leases } = this.#options
    if (reply.kind === 'login' && x.mount) {
      const minted = await mint({ tokens, ttl, now: clock.now() }, reply.grant, x.mount.info, x.incoming.path)
      x.made = minted
      x.warnings.push(...minted.warnings)
      return settle(x, reply, minted.auth)
    }
    if (reply.kind === 'auth') {
      const token = String(reply.auth['client_token'] ?? '')
      const id = tokens.idOf(token)
      const row = await tokens.find(id)
      if (row) x.made = { id, token, row }
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
      this.#options.log.error('audit refused', { request: x.id, error: describe(error) })
      await this.#undo(x)
      return { requestId: x.id, status: 500, kind: 'errors', errors: ['internal error'] }
    }
  }

  async #undo(x: Exchange): Promise<void> {
    const { revocation, leases, log } = this.#options
    try {
      if (x.made && x.made.row.renewedAt === 0) await revocation.revoke(x.made.id, x.deadline.signal)
      if (x.leaseId !== undefined) await leases.withdraw(x.leaseId, x.deadline.signal)
    } catch (error) {
      log.error('undo failed', { request: x.id, error: describe(error) })
    }
  }

  /** A token without uses is refused anyway: this only takes away what it still holds. */
  async #useUp(x: Exchange): Promise<void> {
    const { revocation, log } = this.#options
    if (!x.token) return
    await revocation.revoke(x.token.id, x.deadline.signal).catch((error: unknown) => {
      log.warn('revocation of a used-up token failed', { request: x.id, error: describe(error) })
    })
  }

  #refusalOf(x: Exchange, error: unknown): Refusal {
    if (error instanceof Refusal) {
      if (error.cause !== undefined) this.#options.log.warn('refused', { request: x.id, error: describe(error.cause) })
      return error
    }
    this.#options.log.error('request failed', { request: x.id, path: x.incoming.path, error: describe(error) })
    if (error instanceof StorageFull) return new Refusal(503, error.message)
    if (error instanceof StorageDown) return new Refusal(503, 'the storage cannot be reached')
    if (error instanceof OutcomeUnknown) {
      return new Refusal(
        503,
        'the storage was cut off: the write may or may not have happened, read before trying again',
      )
    }
    if (x.deadline.exceeded) return new Refusal(503, 'the request took longer than 90 s')
    return new Refusal(500, 'internal error')
  }
}

function effectOf(operation: Operation, x: Exchange): 'none' | 'storage' | 'outside' {
  const { verb } = x.incoming
  return (
    operation.effect ?? (verb === 'read' || verb === 'list' || verb === 'scan' || verb === 'head' ? 'none' : 'storage')
  )
}

/** Engines see the headers that their mount was tuned to pass, but never the token. */
function passedHeaders(x: Exchange): Readonly<Record<string, string | undefined>> {
  const names = x.mount?.info.config.passthroughRequestHeaders ?? []
  if (names.length === 0) return noHeaders
  const passed = names.map((name) => name.toLowerCase()).filter((name) => name !== 'x-vault-token')
  return Object.fromEntries(
    passed
      .map((name) => [name, x.incoming.headers[name]] as const)
      .filter(([, value]) => x.incoming.token === '' || !value?.includes(x.incoming.token)),
  )
}

const describe = (error: unknown) => (error instanceof Error ? `${error.name}: ${error.message}` : 'unknown')
