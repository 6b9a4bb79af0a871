/** KV version 1: one value per path, written and read as it came. */
import { parseVaultDuration } from '../../../lib/duration.ts'
import { parseJson } from '../../../lib/json/parse.ts'
import { isLarge } from '../../../lib/json/size.ts'
import { stringifyJson } from '../../../lib/json/stringify.ts'
import { JsonNumber, type JsonObject, RawJson } from '../../../lib/json/value.ts'
import type { Mounted } from '../../contracts/mounted.ts'
import { type Call, operation, Refusal, type Route } from '../../contracts/request.ts'
import { isUnversioned, keyRow } from './keys/key-row.ts'
import { largeText } from './large-data.ts'
import { listFields, listKeys, scanKeys } from './listing.ts'

const pathOf = (call: Pick<Call, 'params'>) => call.params['path'] ?? ''
const rowOf = (call: Pick<Call, 'params' | 'storage'>) => [call.storage.prefix + keyRow(pathOf(call))]
const systemTtlMs = 32 * 86_400_000

const route: Route = {
  path: '{path...?}',
  summary: 'Read, write, delete and list values.',
  exists: async (call) => (await call.storage.getBytes(keyRow(pathOf(call)))) !== undefined,
  on: {
    read: operation({
      input: 'free',
      reads: rowOf,
      async handle(call) {
        const bytes = await call.storage.getBytes(keyRow(pathOf(call)))
        if (!bytes) return { kind: 'none' }
        const data = new RawJson(Buffer.from(stillUnversioned(bytes)).toString())
        return { kind: 'data', data, leaseMs: leaseOf(data) ?? (call.mount.config.defaultTtlMs || systemTtlMs) }
      },
    }),
    update: operation({
      input: 'free',
      reads: rowOf,
      async handle(call) {
        if (pathOf(call) === '') throw new Refusal(400, 'missing path')
        if (Object.keys(call.input).length === 0) throw new Refusal(400, 'missing data fields')
        const text = Buffer.from(isLarge(call.input) ? await largeText(call.input) : stringifyJson(call.input))
        await call.transaction(async (tx) => {
          const before = await tx.getBytes(call.storage, keyRow(pathOf(call)))
          if (before) stillUnversioned(before)
          tx.put(call.storage, keyRow(pathOf(call)), text)
        })
        return { kind: 'none' }
      },
    }),
    delete: operation({
      input: 'free',
      reads: rowOf,
      async handle(call) {
        await call.transaction(async (tx) => {
          const before = await tx.getBytes(call.storage, keyRow(pathOf(call)))
          if (!before) return
          stillUnversioned(before)
          tx.remove(call.storage, keyRow(pathOf(call)))
        })
        return { kind: 'none' }
      },
    }),
    list: operation({ input: listFields, handle: (call) => listKeys(call, pathOf(call)) }),
    scan: operation({ input: listFields, handle: (call) => scanKeys(call, pathOf(call)) }),
  },
}

/**
 * A request that began before the mount was upgraded may meet a key that has versions by now: it must neither show nor lose
 * them, and the client comes back to a mount of version 2.
 */
function stillUnversioned(row: Uint8Array): Uint8Array {
  if (isUnversioned(row)) return row
  throw new Refusal(
    400,
    'Upgrading from non-versioned to versioned data. This backend will be unavailable for a brief period and will resume service shortly.',
  )
}

/** The value's own `ttl` or `lease`: how long a reader should keep it. Only texts that name one are parsed. */
function leaseOf(data: RawJson): number | undefined {
  if (!/"(?:ttl|lease)"/.test(data.text)) return undefined
  const { ttl, lease } = parseJson(data.text, { maxBytes: Number.POSITIVE_INFINITY }) as JsonObject
  const value = ttl ?? lease
  const ms = parseVaultDuration(value instanceof JsonNumber ? value.text : value)
  return ms !== undefined && ms > 0 ? ms : undefined
}

export const keyValueV1: Mounted = { routes: [route] }
