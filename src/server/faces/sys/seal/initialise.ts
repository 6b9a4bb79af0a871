import type { RandomBytes } from '../../../../lib/random.ts'
import type { Barrier } from '../../../barrier/barrier.ts'
import type { Seal } from '../../../contracts/devices.ts'
import { Refusal } from '../../../contracts/request.ts'
import { recoveryCountProblem, shareCountProblem } from '../../../seal/config/share-counts.ts'
import { newShamirSeal } from '../../../seal/shamir/shamir.ts'
import { splitKey } from '../../../seal/shamir/shares.ts'
import type { InitRequest } from './seal-control.ts'
import { sealRows } from './seal-rows.ts'

interface Made {
  readonly rootKey: Uint8Array
  readonly keys: readonly Uint8Array[]
  readonly recoveryKeys: readonly Uint8Array[]
}

/** A new keyring, protected by shares or by the seal that unseals by itself: one commit. Refusal 400 when it was done before. */
export async function initialiseBarrier(options: {
  readonly barrier: Barrier
  readonly random: RandomBytes
  readonly request: InitRequest & { readonly initialising?: boolean }
  readonly seal: Seal | undefined
}): Promise<Made> {
  return options.seal ? withoutPeople({ ...options, seal: options.seal }) : withShares(options)
}

type Options = Parameters<typeof initialiseBarrier>[0]

async function withShares({ barrier, random, request }: Options): Promise<Made> {
  const { shares, threshold } = request
  refuse('seal', shareCountProblem({ shares, threshold }))
  const rootKey = Uint8Array.from(random(32))
  const made = await newShamirSeal({ config: { shares, threshold }, rootKey, random })
  const wrapped = { blob: made.wrappedRootKey, keyId: 'shamir' }
  await barrier.initialise({ rootKey, plain: sealRows({ type: 'shamir', shares, threshold }, wrapped) })
  return { rootKey, keys: made.shares, recoveryKeys: [] }
}

async function withoutPeople({ barrier, random, request, seal }: Options & { seal: Seal }): Promise<Made> {
  const counts = { shares: request.recoveryShares ?? 0, threshold: request.recoveryThreshold ?? 0 }
  refuse('recovery', recoveryCountProblem(counts))
  const rootKey = Uint8Array.from(random(32))
  const config = { type: seal.type, ...counts, ...(request.initialising ? { initialising: true } : {}) }
  const plain = sealRows(config, await seal.wrap(rootKey))
  if (counts.shares === 0) {
    await barrier.initialise({ rootKey, plain })
    return { rootKey, keys: [], recoveryKeys: [] }
  }
  const recoveryKey = random(32)
  try {
    const recoveryKeys = await splitKey(recoveryKey, counts)
    await barrier.initialise({ rootKey, plain, recoveryKey })
    return { rootKey, keys: [], recoveryKeys }
  } finally {
    recoveryKey.fill(0)
  }
}

function refuse(what: string, problem: string | undefined): void {
  if (problem) throw new Refusal(400, `invalid ${what} configuration: ${problem}`)
}
