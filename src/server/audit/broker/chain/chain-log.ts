/** Where the heads of all chains are kept: in storage, so that a chain that is gone altogether is missed. */
import type { Clock } from '../../../../lib/clock.ts'
import { type RandomBytes, uuid } from '../../../../lib/random.ts'
import type { Rows, Tx } from '../../../contracts/secret-storage.ts'
import { type ChainRow, chainSchema, chainView, readChains } from '../audit-rows.ts'

export type ChainHead = ChainRow & { readonly chain: string }

export interface ChainLog {
  /** A new chain's id, recorded as open. */
  open(): Promise<string>
  /** Records where a chain stands. `closed`: it will not go on. */
  advance(chain: string, head: { readonly seq: number; readonly mac: string }, closed: boolean): Promise<void>
  /** A chain whose first line was never accepted. */
  discard(chain: string): Promise<void>
  /** The chains of the server that have lines, the newest thousand. */
  heads(): Promise<readonly ChainHead[]>
  /** Forgets those of these chains that are over: a checkpoint that was written holds their last heads. */
  trim(heads: readonly ChainHead[]): Promise<void>
}

const hourMs = 3_600_000
/** A finished chain stays in storage this long. */
const keepMs = 24 * hourMs
/** A living chain records its head at least this often … */
export const touchMs = 24 * hourMs
/** … so one that has not for this long died with its process. */
const deadMs = 7 * 24 * hourMs
const maxHeads = 1000
const chunk = 100

export interface ChainLogOptions {
  readonly rows: Rows
  readonly clock: Clock
  readonly random: RandomBytes
  readonly device: string
  readonly node: string
}

export function createChainLog({ rows, clock, random, device, node }: ChainLogOptions): ChainLog {
  const view = chainView(rows)
  return {
    open: () => {
      const chain = uuid(random)
      const now = clock.now()
      const row = { format: 1, device, node, openedAt: now, at: now, seq: 0, mac: '', closed: false }
      return view.transaction(async (tx: Tx) => {
        tx.create(view, chain, row)
        return chain
      })
    },
    advance: (chain, head, closed) =>
      view.transaction(async (tx: Tx) => {
        const row = await tx.get(view, chain, chainSchema)
        if (row) tx.put(view, chain, { ...row, ...head, closed, at: clock.now() })
      }),
    discard: (chain) => view.transaction(async (tx: Tx) => tx.remove(view, chain)),
    heads: async () => {
      const all = (await readChains(rows)).filter(({ seq }) => seq > 0)
      return all.length <= maxHeads ? all : all.sort((a, b) => b.at - a.at).slice(0, maxHeads)
    },
    trim: async (heads) => {
      const now = clock.now()
      const over = heads.filter((head) => head.device === device && head.at < now - (head.closed ? keepMs : deadMs))
      for (let at = 0; at < over.length; at += chunk) {
        await view.transaction(async (tx: Tx) => {
          for (const { chain, seq } of over.slice(at, at + chunk)) {
            const row = await tx.get(view, chain, chainSchema)
            if (row?.seq === seq) tx.remove(view, chain)
          }
        })
      }
    },
  }
}
