/**
 * How many leases and login tokens may exist at the same time. Counted by listing names, never by reading rows and never
 * in a counter row: such a row would be in every issue's and every revocation's commit (traps 4), and would be wrong for
 * good after one lost commit. A small limit is counted at each issue and is exact; of a large one with room left each
 * node may use an eighth of the room before it counts again.
 */
import type { LeaseCounts } from '../contracts/access/admission.ts'
import { Refusal } from '../contracts/request.ts'
import type { QuotaIndex } from './quota-index.ts'
import type { LeaseCountLimit } from './quota-row.ts'

/** What is counted: all below a path prefix of a namespace; `deep`: of the namespaces below it too. */
export interface Counted {
  readonly namespacePath: string
  readonly prefix: string
  readonly deep: boolean
}

export interface LeaseQuotasOptions {
  readonly quotas: { readonly leaseCounts: QuotaIndex<LeaseCountLimit> }
  /** Up to `limit`; it need not count further. */
  readonly count: (what: Counted, limit: number) => Promise<number>
  /** Called for each lease or login that is refused. */
  readonly violated?: () => void
}

/** Up to here counting is a matter of a few pages. */
const countedAlways = 5000
const share = 8
const maxRemembered = 10_000

export class LeaseQuotas implements LeaseCounts {
  readonly #options: LeaseQuotasOptions
  /** How many more this node may admit without counting, by quota. */
  readonly #room = new Map<LeaseCountLimit, number>()

  constructor(options: LeaseQuotasOptions) {
    this.#options = options
  }

  async admitLease(namespacePath: string, mountPath: string, path: string, counted = false): Promise<void> {
    const quota = this.#options.quotas.leaseCounts.find({ namespacePath, mountPath, path })
    if (!quota) return
    const room = this.#room.get(quota) ?? 0
    if (room > 0) return void this.#room.set(quota, room - 1)
    const found = await this.#options.count(countedBy(quota), quota.maxLeases + 1)
    const taken = counted ? found : found + 1
    if (taken > quota.maxLeases) {
      this.#options.violated?.()
      throw new Refusal(429, `request path ${JSON.stringify(path)}: lease count quota exceeded`)
    }
    if (quota.maxLeases <= countedAlways) return
    if (this.#room.size > maxRemembered) this.#room.clear()
    this.#room.set(quota, Math.floor((quota.maxLeases - taken) / share))
  }
}

/** Lease ids begin with the path that they came from: "database/creds/my-role/<24>". */
function countedBy({ namespace, mount, suffix, inheritable }: LeaseCountLimit): Counted {
  const below = suffix === '' ? '' : suffix.endsWith('*') ? suffix.slice(0, -1) : `${suffix}/`
  return { namespacePath: namespace, prefix: `${mount}${below}`, deep: mount === '' && inheritable }
}
