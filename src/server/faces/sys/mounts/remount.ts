/** sys/remount: a mount under another path. */
import { type RandomBytes, uuid } from '../../../../lib/random.ts'
import type { Fields, InputOf } from '../../../contracts/fields.ts'
import { type Call, operation, Refusal, type Reply, type Route } from '../../../contracts/request.ts'
import type { Mount } from '../../../mounts/mount.ts'
import type { MountTable } from '../../../mounts/mount-table.ts'

export interface RemountOptions {
  readonly mounts: MountTable
  readonly random: RandomBytes
  /** Ends what was lent under the old path: leases, and the tokens of an auth method. */
  readonly sweep: (mount: Mount, signal: AbortSignal) => Promise<void>
}

const fields = {
  from: { kind: 'string', description: 'The path as it is', default: '' },
  to: { kind: 'string', description: 'The path as it shall be', default: '' },
} as const satisfies Fields

interface Migration {
  readonly format: 1
  readonly source: string
  readonly target: string
  readonly status: 'in-progress' | 'success' | 'failure'
}

const schema = {
  parse(value: unknown): Migration {
    const row = value as Partial<Migration> | null
    if (row?.format !== 1 || typeof row.source !== 'string' || typeof row.target !== 'string' || !row.status) {
      throw new Error('not a migration')
    }
    return { format: 1, source: row.source, target: row.target, status: row.status }
  },
}
const reserved = ['sys/', 'identity/', 'cubbyhole/', 'audit/', 'auth/token/']

export function remountRoutes(options: RemountOptions): Route[] {
  return [
    {
      path: 'remount',
      summary: 'Moves a mount to another path. Leases and tokens of the old path end; what it stores stays.',
      on: { update: operation({ input: fields, access: 'sudo', handle: (call) => remount(options, call) }) },
    },
    {
      path: 'remount/status/{id}',
      summary: 'How a move went.',
      on: { read: operation({ input: {}, access: 'sudo', handle: status }) },
    },
  ]
}

const pathOf = (text: string) => `${text.replace(/^\/+|\/+$/g, '')}/`
/** Empty, `.` and `..` segments, which no request can name, and characters that paths may not have. */
const unreachable = /(?:^|\/)\.{0,2}\/|[\s*+\p{C}]/u
const rowOf = (id: string) => `migration/${id}`

async function remount(options: RemountOptions, call: Call<InputOf<typeof fields>>): Promise<Reply> {
  if (call.input.from === '' || call.input.to === '') {
    throw new Refusal(400, 'both "from" and "to" path must be specified as a string')
  }
  const [from, to] = [pathOf(call.input.from), pathOf(call.input.to)]
  const mount = options.mounts.known.at(from)
  if (!mount) throw new Refusal(400, `no matching mount at "${from}"`)
  if (mount.builtin) throw new Refusal(400, `cannot remount "${from}"`)
  if (mount.info.class !== (to.startsWith('auth/') ? 'auth' : 'secret')) {
    throw new Refusal(
      400,
      `cannot remount "${from}" to "${to}": an auth method stays below auth/, a secrets engine outside`,
    )
  }
  if (to.length > 512 || unreachable.test(to)) throw new Refusal(400, `invalid mount path "${to}"`)
  if (reserved.some((path) => to.startsWith(path)) || to === 'auth/') {
    throw new Refusal(400, `invalid destination mount: path "${to}" is reserved`)
  }
  const id = uuid(options.random)
  const started: Migration = { format: 1, source: from, target: to, status: 'in-progress' }
  await options.mounts.move(mount.info.uuid, to, (tx) => tx.create(call.storage, rowOf(id), { ...started }))
  const finish = (result: Migration['status']) =>
    call.storage.transaction(async (tx) => tx.put(call.storage, rowOf(id), { ...started, status: result }))
  try {
    await options.sweep(mount, call.signal)
  } catch (error) {
    await finish('failure')
    throw error
  }
  await finish('success')
  return { kind: 'data', data: { migration_id: id } }
}

async function status(call: Call<unknown>): Promise<Reply> {
  const id = call.params['id'] ?? ''
  const row = await call.storage.get(rowOf(id), schema)
  if (!row) throw new Refusal(404, [])
  return {
    kind: 'data',
    data: {
      migration_id: id,
      migration_info: { source_mount: row.source, status: row.status, target_mount: row.target },
    },
  }
}
