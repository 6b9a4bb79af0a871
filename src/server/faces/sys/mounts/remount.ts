/** sys/remount: a mount under another path. */
import type { Logger } from '../../../../lib/log.ts'
import { type RandomBytes, uuid } from '../../../../lib/random.ts'
import type { Barrier } from '../../../barrier/barrier.ts'
import type { NamespaceInfo } from '../../../contracts/epochs.ts'
import type { Fields, InputOf } from '../../../contracts/fields.ts'
import { type Call, operation, Refusal, type Reply, type Route } from '../../../contracts/request.ts'
import type { MountTable } from '../../../mounts/mount-table.ts'
import { type EndLoans, finishMove, moveSchema, movesView } from '../../../mounts/moves.ts'

export interface RemountOptions {
  readonly mounts: MountTable
  readonly random: RandomBytes
  readonly allRows: Barrier
  readonly namespace: NamespaceInfo
  /** Ends what a mount lent under a path: leases, and the tokens of an auth method. */
  readonly endLoans: EndLoans
  readonly log: Logger
}

const fields = {
  from: { kind: 'string', description: 'The path as it is', default: '' },
  to: { kind: 'string', description: 'The path as it shall be', default: '' },
} as const satisfies Fields

interface Migration {
  readonly format: 1
  readonly source: string
  readonly target: string
}

const schema = {
  parse(value: unknown): Migration {
    const row = value as Partial<Migration> | null
    if (row?.format !== 1 || typeof row.source !== 'string' || typeof row.target !== 'string') {
      throw new Error('not a migration')
    }
    return { format: 1, source: row.source, target: row.target }
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
      on: { read: operation({ input: {}, access: 'sudo', handle: (call) => status(options, call) }) },
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
  const { uuid: ofMount, class: mountClass } = mount.info
  const moves = movesView(options.allRows)
  await options.mounts.move(ofMount, to, (tx) => {
    tx.create(call.storage, rowOf(id), { format: 1, source: from, target: to })
    tx.create(moves, id, { format: 1, namespace: options.namespace.id, mount: ofMount, class: mountClass, from })
  })
  try {
    await options.endLoans({ uuid: ofMount, class: mountClass }, from, call.signal)
    await finishMove(options.allRows, id)
  } catch (error) {
    // The mount has moved. Whoever leads goes on ending what is lent, and the status says so until then.
    options.log.warn('what a moved mount lent is not ended yet', { from, to, error: String(error) })
  }
  return { kind: 'data', data: { migration_id: id }, topLevel: true }
}

async function status(options: RemountOptions, call: Call<unknown>): Promise<Reply> {
  const id = call.params['id'] ?? ''
  const row = await call.storage.get(rowOf(id), schema)
  if (!row) throw new Refusal(404, [])
  const isUnderWay = (await movesView(options.allRows).get(id, moveSchema)) !== undefined
  return {
    kind: 'data',
    data: {
      migration_id: id,
      migration_info: {
        source_mount: row.source,
        status: isUnderWay ? 'in-progress' : 'success',
        target_mount: row.target,
      },
    },
  }
}
