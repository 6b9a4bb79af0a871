/** sys/namespaces: the children of the namespace that is asked. */
import type { Clock } from '../../../../lib/clock.ts'
import type { JsonObject } from '../../../../lib/json/value.ts'
import type { NamespaceInfo } from '../../../contracts/epochs.ts'
import type { Fields, InputOf } from '../../../contracts/fields.ts'
import { type Call, operation, Refusal, type Reply, type Route } from '../../../contracts/request.ts'
import type { NamespaceRow } from '../../../namespaces/namespace-row.ts'
import type { NamespaceTable } from '../../../namespaces/namespace-table.ts'
import type { PresentedTokens } from '../../../tokens/presented-tokens.ts'
import { presentedAcl } from '../presented-acl.ts'

export interface NamespaceRoutesOptions {
  readonly namespaces: NamespaceTable
  readonly presented: PresentedTokens
  /** Removes what a namespace that was marked as deleted still holds, and at last its row. */
  readonly removeNamespace: (row: NamespaceRow, signal: AbortSignal) => Promise<void>
  readonly clock: Clock
}

/** How long a deletion is waited for: most are done by then, and clients take no answer for a failure after 60 s. */
const patienceMs = 10_000

const createFields = {
  custom_metadata: { kind: 'json', description: 'Keys and values of your own; values are strings' },
} as const satisfies Fields
const unlockFields = {
  unlock_key: { kind: 'string', description: 'What the lock answered; root may leave it out', default: '' },
} as const satisfies Fields
const limits = { keys: 64, key: 128, value: 512 }

export function namespaceRoutes(options: NamespaceRoutesOptions): Route[] {
  const write = operation({ input: createFields, handle: (call) => create(options, call) })
  const list = (deep: boolean) => operation({ input: {}, handle: async (call) => listOf(options, call, deep) })
  return [
    {
      path: 'namespaces',
      summary: 'Lists the namespaces below this one.',
      on: { list: list(false), scan: list(true) },
    },
    {
      path: 'namespaces/api-lock/lock/{path...?}',
      summary: 'Keeps all requests out of a namespace and of those below it; answers the key that unlocks.',
      on: { update: operation({ input: {}, access: 'sudo', handle: (call) => lock(options, call) }) },
    },
    {
      path: 'namespaces/api-lock/unlock/{path...?}',
      summary: 'Lets requests in again.',
      on: { update: operation({ input: unlockFields, access: 'sudo', handle: (call) => unlock(options, call) }) },
    },
    {
      path: 'namespaces/{path...}',
      summary: 'Makes, shows, changes and deletes a namespace with all that it holds.',
      exists: async (call) => find(options, call) !== undefined,
      on: {
        read: operation({
          input: {},
          handle: async (call) => shown(leaving(options, call) ?? (await existing(options, call))),
        }),
        update: write,
        patch: operation({ input: createFields, handle: (call) => patch(options, call) }),
        delete: operation({ input: {}, handle: (call) => remove(options, call) }),
      },
    },
    {
      path: 'internal/ui/namespaces',
      summary: 'The namespaces that the caller can choose from.',
      on: { read: operation({ input: {}, access: 'optional', handle: async (call) => choices(options, call) }) },
    },
  ]
}

const pathOf = (call: Call<unknown>) => `${(call.params['path'] ?? '').replace(/\/+$/, '')}/`

function find({ namespaces }: NamespaceRoutesOptions, call: Call<unknown>): NamespaceRow | undefined {
  const info = namespaces.known.at(call.namespace.path + pathOf(call))
  return info && namespaces.known.row(info.id)
}

async function existing(options: NamespaceRoutesOptions, call: Call<unknown>): Promise<NamespaceRow> {
  const row = find(options, call)
  if (!row) throw new Refusal(404, [])
  return row
}

/** The whole path, also for who asks from within a namespace, as OpenBao. */
function rowJson(row: NamespaceRow): JsonObject {
  return {
    custom_metadata: row.customMetadata,
    id: row.id,
    locked: row.lock !== undefined,
    path: row.path,
    tainted: row.deleting === true,
    uuid: row.uuid,
  }
}

const shown = (row: NamespaceRow): Reply => ({ kind: 'data', data: rowJson(row) })

async function create(options: NamespaceRoutesOptions, call: Call<InputOf<typeof createFields>>): Promise<Reply> {
  const path = pathOf(call).slice(0, -1)
  const cut = path.lastIndexOf('/')
  const parent = options.namespaces.known.at(call.namespace.path + (cut < 0 ? '' : path.slice(0, cut + 1)))
  if (!parent)
    throw new Refusal(400, `parent namespace ${JSON.stringify(`${path.slice(0, cut)}/`)} doesn't exist: make it first`)
  const row = await options.namespaces.create(
    parent,
    path.slice(cut + 1),
    metadataOf(call.input.custom_metadata, false),
  )
  return shown(row)
}

async function patch(options: NamespaceRoutesOptions, call: Call<InputOf<typeof createFields>>): Promise<Reply> {
  const row = await existing(options, call)
  return shown(await options.namespaces.patch(row.id, metadataOf(call.input.custom_metadata, true) ?? {}))
}

/** 204 when all of it is gone. What takes longer, or can't go yet, is gone on with by whoever leads, and a second request joins in. */
async function remove(options: NamespaceRoutesOptions, call: Call<unknown>): Promise<Reply> {
  const row = find(options, call) ?? leaving(options, call)
  if (!row) return { kind: 'none' }
  if (!row.deleting) await options.namespaces.markDeleted(row.id)
  const patience = new AbortController()
  const cancel = options.clock.after(patienceMs, () => patience.abort(new Error('it takes longer')))
  try {
    await options.removeNamespace(row, AbortSignal.any([call.signal, patience.signal]))
    return { kind: 'none' }
  } catch (cause) {
    if (call.signal.aborted) throw cause
    if (!patience.signal.aborted)
      call.warn('not everything in it could be removed yet: this is tried again until it can')
    return { kind: 'data', data: { status: 'in-progress' } }
  } finally {
    cancel()
  }
}

/** One whose deletion is under way: nothing reaches into it, but it can be seen to be there. */
function leaving({ namespaces }: NamespaceRoutesOptions, call: Call<unknown>): NamespaceRow | undefined {
  const path = call.namespace.path + pathOf(call)
  return namespaces.removing().find((row) => row.path === path)
}

function listOf({ namespaces }: NamespaceRoutesOptions, call: Call<unknown>, deep: boolean): Reply {
  const base = call.namespace.path
  const rows = namespaces.known.below(base, deep)
  const named = rows.map((row) => [row.path.slice(base.length), rowJson(row)] as const)
  return { kind: 'data', data: { key_info: Object.fromEntries(named), keys: named.map(([name]) => name) } }
}

/** Nobody learns of namespaces that nothing permits it to reach. */
function choices({ namespaces, presented }: NamespaceRoutesOptions, call: Call<unknown>): Reply {
  const acl = presentedAcl(presented, call)
  if (!acl) return { kind: 'data', data: { keys: [] } }
  const base = call.namespace.path
  const names = namespaces.known.below(base, true).map((row) => row.path.slice(base.length))
  return { kind: 'data', data: { keys: names.filter((name) => acl.reaches(name)) } }
}

function target({ namespaces }: NamespaceRoutesOptions, call: Call<unknown>): NamespaceInfo {
  const path = call.params['path'] ? pathOf(call) : ''
  const info = namespaces.known.at(call.namespace.path + path)
  if (!info) throw new Refusal(404, 'namespace not found')
  if (info.path === '') throw new Refusal(400, 'the root namespace cannot be locked')
  return info
}

async function lock(options: NamespaceRoutesOptions, call: Call<unknown>): Promise<Reply> {
  return { kind: 'data', data: { unlock_key: await options.namespaces.lock(target(options, call).id) } }
}

async function unlock(options: NamespaceRoutesOptions, call: Call<InputOf<typeof unlockFields>>): Promise<Reply> {
  const key = call.input.unlock_key
  if (key === '' && !call.caller?.root) throw new Refusal(400, 'unlock_key must be given; only root may leave it out')
  await options.namespaces.unlock(target(options, call).id, key === '' ? undefined : key)
  return { kind: 'none' }
}

function metadataOf<N extends boolean>(
  given: unknown,
  nulls: N,
): Readonly<Record<string, N extends true ? string | null : string>> | undefined {
  if (given === undefined) return undefined
  const problem = problemOf(given, nulls)
  if (problem) throw new Refusal(400, `custom_metadata ${problem}`)
  return given as Readonly<Record<string, N extends true ? string | null : string>>
}

function problemOf(given: unknown, nulls: boolean): string | undefined {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return 'must be an object of strings'
  const entries = Object.entries(given)
  if (entries.length > limits.keys) return `has ${entries.length} keys, at most ${limits.keys} are accepted`
  for (const [key, value] of entries) {
    if (key === '' || key.length > limits.key)
      return `has a key of ${key.length} characters, 1 to ${limits.key} are accepted`
    if (value === null && nulls) continue
    if (typeof value !== 'string') return `has a value of another kind than string at ${JSON.stringify(key)}`
    if (value.length > limits.value)
      return `has a value of more than ${limits.value} characters at ${JSON.stringify(key)}`
  }
  return undefined
}
