/** A token's own place: nobody else sees it, and it ends with the token. */
import { stringifyJson } from '../../../lib/json/stringify.ts'
import { RawJson } from '../../../lib/json/value.ts'
import type { Mounted } from '../../contracts/mounted.ts'
import { type Call, operation, Refusal, type Reply, type Route } from '../../contracts/request.ts'
import { refuseHuge } from '../../contracts/row-size.ts'

const pathOf = (call: Pick<Call, 'params'>) => call.params['path'] ?? ''

/** Below the token's id in storage. Refusal for tokens that nobody keeps: with them the rows would never end. */
function rowOf(call: Pick<Call, 'caller' | 'params'>): string {
  const { caller } = call
  if (!caller) throw new Refusal(403, 'permission denied')
  if (caller.type !== 'service')
    throw new Refusal(400, 'cubbyhole operations are only supported by "service" type tokens')
  return `${caller.id}/${pathOf(call)}`
}

function keyOf(call: Pick<Call, 'caller' | 'params'>): string {
  const row = rowOf(call)
  if (pathOf(call) === '') throw new Refusal(400, 'missing path')
  return row
}

const listFields = {
  after: { kind: 'string', description: 'Names after this one.', default: '' },
  limit: { kind: 'int', description: 'At most this many. 0 or negative: all.', default: 0 },
} as const
type ListCall = Pick<
  Call<{ readonly after: string; readonly limit: number }>,
  'caller' | 'params' | 'input' | 'storage'
>
const pageSize = 1000

/** 'children': one level, folders with their slash. */
async function list(call: ListCall, depth: 'children' | 'all'): Promise<Reply> {
  const row = rowOf(call)
  const folder = row.endsWith('/') ? row : `${row}/`
  const most = call.input.limit > 0 ? call.input.limit : Number.POSITIVE_INFINITY
  const keys: string[] = []
  let after = call.input.after
  while (keys.length < most) {
    const limit = Math.min(pageSize, most - keys.length)
    const page = await call.storage.list(folder, { depth, limit, ...(after !== '' && { after }) })
    keys.push(...page)
    if (page.length < limit) break
    after = page.at(-1) ?? ''
  }
  return keys.length > 0 ? { kind: 'data', data: { keys } } : { kind: 'none' }
}

const route: Route = {
  path: '{path...?}',
  summary: 'Read, write, delete and list values that only this token sees.',
  exists: async (call) => (await call.storage.getBytes(rowOf(call))) !== undefined,
  on: {
    read: operation({
      input: 'free',
      async handle(call) {
        const bytes = await call.storage.getBytes(keyOf(call))
        return bytes ? { kind: 'data', data: new RawJson(Buffer.from(bytes).toString()) } : { kind: 'none' }
      },
    }),
    update: operation({
      input: 'free',
      async handle(call) {
        const row = keyOf(call)
        if (Object.keys(call.input).length === 0) throw new Refusal(400, 'missing data fields')
        refuseHuge(call.input)
        const text = Buffer.from(stringifyJson(call.input))
        await call.transaction(async (tx) => {
          // Written after the token's own were swept, it would stay for ever.
          await call.checkCaller(tx)
          tx.put(call.storage, row, text)
        })
        return { kind: 'none' }
      },
    }),
    delete: operation({
      input: 'free',
      async handle(call) {
        const row = keyOf(call)
        await call.transaction(async (tx) => tx.remove(call.storage, row))
        return { kind: 'none' }
      },
    }),
    list: operation({ input: listFields, handle: (call) => list(call, 'children') }),
    scan: operation({ input: listFields, handle: (call) => list(call, 'all') }),
  },
}

/** One for all mounts: its rows lie below the view that each call brings. */
export const cubbyhole: Mounted = { routes: [route] }
