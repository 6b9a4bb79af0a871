import type { MountInfo } from '../contracts/request.ts'
import type { Rows, SecretStorage } from '../contracts/secret-storage.ts'

/** A mount that has another path already, while what it lent under the old one is still to end. */
export interface Move {
  readonly format: 1
  readonly namespace: string
  /** UUID of the mount. */
  readonly mount: string
  readonly class: MountInfo['class']
  /** The path as it was. */
  readonly from: string
}

/** Ends what a mount lent under one of its paths: leases, and the tokens of an auth method. */
export type EndLoans = (mount: Pick<MountInfo, 'uuid' | 'class'>, path: string, signal: AbortSignal) => Promise<void>

/** The moves of all namespaces that are not finished, by id: whoever leads goes on with them. */
export const movesView = (rows: Rows): SecretStorage => rows.view('core/moves/')

export const moveSchema = {
  parse(value: unknown): Move {
    const row = value as Partial<Move> | null
    if (
      row?.format !== 1 ||
      typeof row.namespace !== 'string' ||
      typeof row.mount !== 'string' ||
      (row.class !== 'auth' && row.class !== 'secret') ||
      typeof row.from !== 'string'
    ) {
      throw new Error('not a move')
    }
    return { ...row, format: 1, namespace: row.namespace, mount: row.mount, class: row.class, from: row.from }
  },
}

/** It is finished: in a commit of its own, which whoever else finished it has perhaps made already. */
export async function finishMove(rows: Rows, id: string): Promise<void> {
  const moves = movesView(rows)
  await moves.transaction(async (tx) => {
    if (await tx.get(moves, id, moveSchema)) tx.remove(moves, id)
  })
}
