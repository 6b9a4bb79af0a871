import type { Clock } from '../../../../lib/clock.ts'
import { type RandomBytes, uuid } from '../../../../lib/random.ts'
import type { Barrier } from '../../../barrier/barrier.ts'
import { Spool, type SpoolPlace } from '../../../snapshots/spool.ts'
import { takeSnapshot } from '../../../snapshots/take-snapshot.ts'
import type { SealControl } from '../seal/seal-control.ts'

export interface TakingOptions {
  readonly allRows: Barrier
  readonly seal: Pick<SealControl, 'status'>
  readonly clock: Clock
  readonly random: RandomBytes
  readonly cofferVersion: string
  readonly storageType: string
  /** Where what is larger than memory is kept meanwhile. */
  readonly spoolPlace: SpoolPlace
}

/** What a snapshot's sums are sealed as. */
export const sumsName = 'SHA256SUMS'

/** What it holds is fixed when this resolves; whoever does not read it to its end aborts `signal`. */
export async function takeNow(options: TakingOptions, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
  const { allRows: barrier, seal, clock, random, cofferVersion, storageType: storage } = options
  const [{ term }, { cluster }] = await Promise.all([barrier.keyStatus(), seal.status()])
  const spool = await Spool.open(options.spoolPlace, uuid(random))
  signal.addEventListener('abort', () => void spool.close(), { once: true })
  const at = clock.now()
  try {
    return await takeSnapshot({
      rows: barrier.snapshot(signal),
      spool,
      about: {
        ID: `coffer-${new Date(at).toISOString().replace(/[-:]|\.\d+/g, '')}-${Buffer.from(random(4)).toString('hex')}`,
        Index: at,
        Term: term,
        CofferVersion: cofferVersion,
        ClusterID: cluster?.id ?? '',
        Storage: storage,
      },
      sealSums: (sums) => barrier.sealApart(sumsName, sums),
    })
  } catch (error) {
    await spool.close()
    throw error
  }
}
