/** The first start of a server that unseals itself: initialised, set up by requests, and nobody ever holds a root token. */
import type { Clock } from '../../../lib/clock.ts'
import { parseJson } from '../../../lib/json/parse.ts'
import { stringifyJson } from '../../../lib/json/stringify.ts'
import type { Json } from '../../../lib/json/value.ts'
import type { Logger } from '../../../lib/log.ts'
import type { NodeSeal } from '../../../server/faces/sys/seal/node-seal.ts'
import { type Handler, inject } from '../../../server/http/handler.ts'
import type { FirstRequest } from './initialize-stanza.ts'
import { resolveValue } from './value-source.ts'

export interface FirstStartOptions {
  readonly seal: NodeSeal
  readonly handler: Handler
  readonly requests: readonly FirstRequest[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  readonly log: Logger
  readonly signal: AbortSignal
  /** Names this node: of several that start at once one does the requests. */
  readonly node: string
}

/** How long the start waits for the seal before it goes on without. */
const patienceMs = 5000

/**
 * Unseals where the server can, and does the requests that are left of its first start; a later start does nothing of that.
 * Throws with the name of the request that failed: the next start goes on with it.
 */
export async function startSeal(options: FirstStartOptions): Promise<void> {
  const { seal, requests, log } = options
  const status = await seal.status()
  if (status.initialised) return goOn(options)
  if (requests.length === 0) return unseal(options)
  if (!status.recovery) {
    throw new Error('initialize needs a seal that unseals without people: static, transit, awskms or pkcs11')
  }
  log.info('first start: initialising')
  const rootToken = await initialise(options)
  return rootToken === undefined ? goOn(options) : finish(options, rootToken)
}

const longestWaitMs = 60_000

/**
 * The root token, or undefined when the storage is initialised already: by another node, or by this one that came no further. While
 * the seal is away it waits: a process that ended would be started anew, and try a wrong PIN again, until the token locks.
 */
async function initialise({ seal, clock, log, signal }: FirstStartOptions): Promise<string | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return (await seal.initialise({ shares: 0, threshold: 0, initialising: true })).rootToken
    } catch (error) {
      if ((await seal.status()).initialised) return undefined
      log.warn('first start: not initialised yet, will be tried again', { attempt, error: String(error) })
    }
    await clock.sleep(Math.min(longestWaitMs, 500 * 2 ** attempt), signal)
  }
}

/** A seal that hangs is waited for elsewhere: here who asks for health would get no answer meanwhile. */
async function unseal({ seal, clock, log }: FirstStartOptions): Promise<void> {
  const over = new AbortController()
  const starting = seal.start()
  const late = clock.sleep(patienceMs, over.signal).then(() => {
    log.warn('the seal has not answered yet')
    starting.catch((error: unknown) => log.error('unsealing stopped', { error: String(error) }))
  })
  try {
    await Promise.race([starting, late])
  } finally {
    late.catch(() => undefined)
    over.abort(new Error('the seal has answered'))
  }
}

async function goOn(options: FirstStartOptions): Promise<void> {
  const { seal } = options
  await unseal(options)
  if (await seal.firstStart.pending()) await finish(options, undefined)
}

/** False: another node has done it all. */
async function claimed({ seal, node, clock, log, signal }: FirstStartOptions): Promise<boolean> {
  for (let waits = 0; !(await seal.firstStart.claim(node)); waits += 1) {
    if (waits === 0) log.info('first start: another node does it, waiting')
    await clock.sleep(1000, signal)
    if (!(await seal.firstStart.pending())) return false
  }
  return seal.firstStart.pending()
}

async function finish(options: FirstStartOptions, fresh: string | undefined): Promise<void> {
  const { seal, clock, log, signal, handler } = options
  while (seal.sealed) await clock.sleep(1000, signal)
  let root = fresh
  try {
    if (!(await claimed(options))) return
    root ??= await seal.newRoot()
    await runRequests(options, root)
    await seal.firstStart.finish()
    log.info('first start: done', { requests: options.requests.length })
  } catch (error) {
    await seal.firstStart.release().catch(() => undefined)
    throw error
  } finally {
    if (root !== undefined) {
      await inject(handler, { method: 'POST', path: '/v1/auth/token/revoke-self', headers: { 'X-Vault-Token': root } })
    }
  }
}

async function runRequests(options: FirstStartOptions, root: string): Promise<void> {
  const { seal, requests, log } = options
  const { done, begun } = await seal.firstStart.position()
  if (done >= requests.length) return
  const known = { env: options.env, requests: new Map<string, Json>(), responses: new Map<string, Json>() }
  for (const [i, request] of requests.entries()) {
    const name = `initialize "${request.initialize}", request "${request.name}"`
    const ready = prepare(request, root, known, name)
    if (i < done) {
      known.responses.set(ready.key, await seal.firstStart.answer(i))
      continue
    }
    await seal.firstStart.begin(i)
    const { status, document } = await send(options.handler, ready)
    known.responses.set(ready.key, document)
    // Before a crash it may have been done already, and then be refused.
    const repeated = begun === i && status === 400
    if (status >= 400 && !request.allowFailure && !repeated) {
      throw new Error(`${name} failed with ${status}: ${errorsOf(document)}`)
    }
    if (status >= 400) log.warn('first start: a request was refused', { request: name, status })
    await seal.firstStart.done(i, document)
  }
}

interface Known {
  readonly env: FirstStartOptions['env']
  readonly requests: Map<string, Json>
  readonly responses: Map<string, Json>
}

interface Ready {
  readonly key: string
  readonly method: string
  readonly path: string
  readonly token: string
  readonly body?: string
}

function prepare(request: FirstRequest, root: string, known: Known, name: string): Ready {
  const value = (given: Json | undefined) => {
    try {
      return given === undefined ? undefined : resolveValue(given, known)
    } catch (cause) {
      throw new Error(`${name}: ${cause instanceof Error ? cause.message : 'a value cannot be had'}`, { cause })
    }
  }
  const operation = String(value(request.operation))
  const path = String(value(request.path)).replace(/^\/+/, '')
  const data = value(request.data)
  const token = String(value(request.token) ?? root)
  const key = `${request.initialize}/${request.name}`
  known.requests.set(key, { operation, path, data: data ?? null })
  const { method, query = '' } = methodOf(operation, name)
  const body = method === 'POST' || method === 'PATCH' ? { body: stringifyJson(data ?? {}) } : {}
  return { key, method, path: `/v1/${path}${query}`, token, ...body }
}

async function send(handler: Handler, { method, path, token, body }: Ready) {
  const answer = await inject(handler, {
    method,
    path,
    headers: {
      ...(token === '' ? {} : { 'X-Vault-Token': token }),
      ...(method === 'PATCH' ? { 'Content-Type': 'application/merge-patch+json' } : {}),
    },
    ...(body === undefined ? {} : { body }),
  })
  const document: Json = answer.body === '' ? null : parseJson(Buffer.from(answer.body))
  return { status: answer.status, document }
}

function methodOf(operation: string, name: string): { method: string; query?: string } {
  switch (operation) {
    case 'create':
    case 'update':
      return { method: 'POST' }
    case 'read':
      return { method: 'GET' }
    case 'list':
      return { method: 'GET', query: '?list=true' }
    case 'patch':
      return { method: 'PATCH' }
    case 'delete':
      return { method: 'DELETE' }
    default:
      throw new Error(`${name}: operation "${operation}" is none of create, update, read, list, patch, delete`)
  }
}

function errorsOf(document: Json): string {
  const errors = typeof document === 'object' && document !== null && 'errors' in document ? document['errors'] : []
  return Array.isArray(errors) && errors.length > 0 ? errors.join('; ') : 'no reason given'
}
