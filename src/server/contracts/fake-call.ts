import type { JsonObject } from '../../lib/json/value.ts'
import type { Call, Caller, MountInfo, Operation, Reply, Route, Verb } from './request.ts'
import type { SecretStorage } from './secret-storage.ts'

/** For tests: a mount as the mount table would describe it. */
export function fakeMount(more: Partial<MountInfo> = {}): MountInfo {
  return {
    path: 'secret/',
    class: 'secret',
    type: 'kv',
    description: '',
    accessor: 'kv_00000001',
    uuid: '00000000-0000-4000-8000-000000000001',
    local: false,
    sealWrap: false,
    options: null,
    config: {
      defaultTtlMs: 0,
      maxTtlMs: 0,
      forceNoCache: false,
      tokenType: '',
      auditNonHmacRequestKeys: [],
      auditNonHmacResponseKeys: [],
      passthroughRequestHeaders: [],
      allowedResponseHeaders: [],
    },
    ...more,
  }
}

export interface FakeCallOptions {
  readonly storage: SecretStorage
  readonly mount?: MountInfo
  readonly now?: number
  /** As the pipeline has converted it: defaults are filled in from the operation's fields here. */
  readonly input?: JsonObject
  readonly params?: Readonly<Record<string, string>>
  readonly warnings?: string[]
  readonly signal?: AbortSignal
  /** Default: everything is permitted. */
  readonly permits?: Call['permits']
  readonly caller?: Caller
  readonly checkCaller?: Call['checkCaller']
}

/** For tests: runs one operation of a route without a pipeline. */
export function runOperation(route: Route, verb: Verb, options: FakeCallOptions): Promise<Reply> {
  const operation = route.on[verb]
  if (!operation) throw new Error(`${route.path} has no ${verb}`)
  return operation.handle(fakeCall(route, verb, options, operation))
}

function fakeCall(route: Route, verb: Verb, options: FakeCallOptions, operation: Operation): Call {
  const { storage, mount = fakeMount(), now = 0, params = {}, warnings = [] } = options
  const path = route.path.replace(/\{(\w+)(?:\.\.\.)?\??\}/g, (_, name: string) => params[name] ?? '')
  const fields: Record<string, { default?: unknown }> = operation.input === 'free' ? {} : operation.input
  const defaults = Object.fromEntries(
    Object.entries(fields).flatMap(([name, field]) => (field.default === undefined ? [] : [[name, field.default]])),
  )
  return {
    id: 'test-request',
    operation: verb,
    path,
    params,
    input: { ...(defaults as JsonObject), ...options.input },
    mount,
    namespace: { id: 'root', path: '' },
    remote: { address: '127.0.0.1', port: 1 },
    headers: {},
    signal: options.signal ?? new AbortController().signal,
    now,
    storage,
    leases: { issue: () => Promise.reject(new Error('this test issues no leases')) },
    transaction: (run) => storage.transaction(run),
    checkCaller: options.checkCaller ?? (async () => {}),
    permits: options.permits ?? (() => true),
    ...(options.caller && { caller: options.caller }),
    warn: (text) => warnings.push(text),
    stands: () => {},
  }
}
