/** A request as its operation sees it. */
import type { JsonObject } from '../../lib/json/value.ts'
import type { NamespaceInfo } from '../contracts/epochs.ts'
import type { Leases } from '../contracts/leases.ts'
import type { Call, Caller, MountInfo, Route, StandingEffect, Verb } from '../contracts/request.ts'
import type { Schema, SecretStorage, Tx } from '../contracts/secret-storage.ts'
import type { ListPage } from '../contracts/storage.ts'

export interface LiveCallOptions {
  readonly id: string
  readonly operation: Verb | 'create'
  readonly path: string
  readonly params: Readonly<Record<string, string>>
  readonly input: JsonObject
  readonly mount: MountInfo
  readonly namespace: NamespaceInfo
  readonly caller: Caller | undefined
  readonly remote: { readonly address: string; readonly port: number }
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly deadline: { readonly signal: AbortSignal }
  readonly now: number
  readonly storage: SecretStorage
  readonly route: Route
  readonly warnings: string[]
  readonly body: Uint8Array | undefined
  /** Instead of `body`. */
  readonly stream: AsyncIterable<Uint8Array> | undefined
  readonly leases: () => Leases
  readonly checkCaller: (tx: Tx) => Promise<void>
  readonly acl:
    | { check(request: { path: string; operation: Verb | 'create' }): { readonly allowed: boolean } }
    | undefined
  /** Judges anew when `exists` answers otherwise than at first; throws the refusal. */
  readonly existsChanged: (exists: boolean) => void
}

export class LiveCall implements Call {
  readonly id: string
  operation: Verb | 'create'
  readonly path: string
  readonly params: Readonly<Record<string, string>>
  input: JsonObject
  readonly mount: MountInfo
  readonly namespace: NamespaceInfo
  readonly caller: Caller | undefined
  readonly remote: { readonly address: string; readonly port: number }
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly now: number
  readonly storage: SecretStorage
  standing: StandingEffect | undefined = undefined
  readonly #options: LiveCallOptions

  constructor(options: LiveCallOptions, storage = options.storage, operation = options.operation) {
    this.#options = options
    this.id = options.id
    this.operation = operation
    this.path = options.path
    this.params = options.params
    this.input = options.input
    this.mount = options.mount
    this.namespace = options.namespace
    this.caller = options.caller
    this.remote = options.remote
    this.headers = options.headers
    this.now = options.now
    this.storage = storage
  }

  get signal(): AbortSignal {
    return this.#options.deadline.signal
  }

  get leases(): Leases {
    return this.#options.leases()
  }

  get body(): AsyncIterable<Uint8Array> {
    return this.#options.stream ?? chunks(this.#options.body)
  }

  checkCaller(tx: Tx): Promise<void> {
    return this.#options.checkCaller(tx)
  }

  permits(path: string, operation: Verb | 'create'): boolean {
    return this.#options.acl?.check({ path, operation }).allowed ?? false
  }

  warn(text: string): void {
    this.#options.warnings.push(text)
  }

  stands(effect: StandingEffect): void {
    this.standing = effect
  }

  /** What `exists` reads is among the checks of every attempt: between create and update nobody slips in. */
  transaction<T>(run: (tx: Tx) => Promise<T>): Promise<T> {
    const { exists } = this.#options.route
    if (!exists || (this.operation !== 'create' && this.operation !== 'update')) return this.storage.transaction(run)
    return this.storage.transaction(async (tx) => {
      const present = await exists(this.#within(tx))
      if (present !== (this.operation === 'update')) this.#options.existsChanged(present)
      return run(tx)
    })
  }

  #within(tx: Tx): Call {
    return new LiveCall(this.#options, new TxView(tx, this.storage), this.operation)
  }
}

async function* chunks(body: Uint8Array | undefined): AsyncGenerator<Uint8Array> {
  if (body) yield body
}

/** A view whose reads are a transaction's. */
class TxView implements SecretStorage {
  readonly prefix: string
  readonly #tx: Tx
  readonly #view: SecretStorage

  constructor(tx: Tx, view: SecretStorage) {
    this.#tx = tx
    this.#view = view
    this.prefix = view.prefix
  }

  get<T>(key: string, schema: Schema<T>): Promise<T | undefined> {
    return this.#tx.get(this.#view, key, schema)
  }

  getBytes(key: string): Promise<Uint8Array | undefined> {
    return this.#tx.getBytes(this.#view, key)
  }

  list(_prefix: string, _page: ListPage): Promise<string[]> {
    throw new Error('exists may not list: a transaction has no list')
  }

  at(prefix: string): SecretStorage {
    return new TxView(this.#tx, this.#view.at(prefix))
  }

  transaction<T>(): Promise<T> {
    throw new Error('exists may not write')
  }
}
