/** delete/, undelete/ and destroy/: the same change to several versions of a key. */
import { type Call, operation, Refusal, type Reply, type Route } from '../../contracts/request.ts'
import type { Tx } from '../../contracts/secret-storage.ts'
import { readLimits } from './config.ts'
import { notOnRoot } from './invalid-path.ts'
import { encodeKey, type KeyState, keyRow, versionRow } from './keys/key-row.ts'
import { readKey } from './keys/stored-key.ts'
import { destroy, findVersion, softDelete, undelete } from './keys/versions.ts'

type Change = (state: KeyState, versions: readonly number[], tx: Tx, call: Call) => Promise<KeyState> | KeyState

const pathOf = (call: Pick<Call, 'params'>) => call.params['path'] ?? ''

function versionsRoute(path: string, summary: string, change: Change): Route {
  const fields = { versions: { kind: 'intList', description: 'Their numbers: [1,2] or "1,2".' } } as const
  return {
    path: `${path}/{path...?}`,
    summary,
    on: {
      update: operation({
        input: fields,
        reads: (call) => [call.storage.prefix + keyRow(pathOf(call))],
        async handle(call): Promise<Reply> {
          if (pathOf(call) === '') return notOnRoot
          const versions = call.input.versions ?? []
          if (versions.length === 0) throw new Refusal(400, 'No version number provided')
          for (let from = 0; from < versions.length; from += perCommit) {
            await changeSome(call, versions.slice(from, from + perCommit), change)
          }
          return { kind: 'none' }
        },
      }),
    },
  }
}
const perCommit = 200

async function changeSome(call: Call, versions: readonly number[], change: Change): Promise<void> {
  const { storage } = call
  await call.transaction(async (tx) => {
    const key = await readKey(tx, storage, pathOf(call))
    if (!key) return
    const next = await change(key.state, versions, tx, call)
    tx.put(storage, keyRow(pathOf(call)), encodeKey(next, next.current.destroyed ? undefined : key.data))
  })
}

export const versionSetRoutes: readonly Route[] = [
  versionsRoute('delete', 'Delete versions of a key; they can be brought back.', (state, versions, _, call) =>
    softDelete(state, versions, call.now, 'delete'),
  ),
  versionsRoute('undelete', 'Bring deleted versions back.', async (state, versions, tx, call) =>
    undelete(state, versions, await readLimits(tx, call.storage), call.now),
  ),
  versionsRoute('destroy', 'Remove the data of versions for good.', (state, versions, tx, call) => {
    for (const version of versions) {
      const known = version !== state.current.version && version > 0 && findVersion(state, version)
      if (known) tx.remove(call.storage, versionRow(pathOf(call), version))
    }
    return destroy(state, versions)
  }),
]
