import { FakeClock } from '../../../lib/fake-clock.ts'
import { stringifyJson } from '../../../lib/json/stringify.ts'
import type { JsonObject } from '../../../lib/json/value.ts'
import { silentLog } from '../../../lib/log.ts'
import { systemRandom } from '../../../lib/random.ts'
import { fakeMount, runOperation } from '../../contracts/fake-call.ts'
import { FakeRows } from '../../contracts/fake-rows.ts'
import type { MountContext, Mounted, ServerEvent } from '../../contracts/mounted.ts'
import type { Call, Route, Verb } from '../../contracts/request.ts'
import type { SecretStorage } from '../../contracts/secret-storage.ts'
import { kv } from './kv.ts'

export const start = Date.UTC(2026, 0, 2, 3, 4, 5, 120)

export interface TestKvOptions {
  readonly options?: Record<string, string> | null
  readonly storage?: SecretStorage
  readonly clock?: FakeClock
  readonly permits?: Call['permits']
}

/** For tests: one mount of the engine without a pipeline. */
export class TestKv {
  readonly rows = new FakeRows()
  readonly clock: FakeClock
  readonly published: ServerEvent[] = []
  readonly warnings: string[] = []
  readonly context: MountContext
  readonly mounted: Mounted
  permits: Call['permits']

  constructor({ options = { version: '2' }, storage, clock, permits = () => true }: TestKvOptions = {}) {
    this.clock = clock ?? new FakeClock(start)
    this.permits = permits
    this.context = {
      namespace: { id: 'root', path: '' },
      mount: fakeMount({ options }),
      storage: storage ?? this.rows.view('mount/u/'),
      clock: this.clock,
      random: systemRandom,
      log: silentLog,
      outbound: { request: () => Promise.reject(new Error('kv dials nobody')) },
      events: { listened: true, publish: (event) => this.published.push(event) },
    }
    this.mounted = kv.create(this.context)
  }

  /** As the mount's table does: the most literal route, by what stands before its rest. */
  call(verb: Verb, path: string, input: JsonObject = {}, signal?: AbortSignal) {
    const literal = (route: Route) => route.path.split('/{')[0] ?? ''
    const named = this.mounted.routes.find((r) => path === literal(r) || path.startsWith(`${literal(r)}/`))
    const route = named ?? this.mounted.routes.find((r) => r.path.startsWith('{'))
    if (!route) throw new Error('no route')
    return runOperation(route, verb, {
      storage: this.context.storage,
      mount: this.context.mount,
      now: this.clock.now(),
      params: { path: named ? path.slice(literal(named).length + 1) : path },
      input,
      warnings: this.warnings,
      permits: this.permits,
      ...(signal && { signal }),
    })
  }

  /** The reply as a client sees it, raw parts included. */
  async show(verb: Verb, path: string, input?: JsonObject) {
    const reply = await this.call(verb, path, input)
    const data = reply.kind === 'data' ? JSON.parse(stringifyJson(reply.data)) : undefined
    return { status: reply.status, kind: reply.kind, data }
  }

  write(path: string, data: JsonObject | null, options?: JsonObject) {
    return this.show('update', `data/${path}`, { data, ...(options && { options }) })
  }
}
