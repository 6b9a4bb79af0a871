import type { RandomBytes } from '../../../../lib/random.ts'
import type { Barrier } from '../../../barrier/barrier.ts'
import type { Seal } from '../../../contracts/devices.ts'
import { Refusal } from '../../../contracts/request.ts'
import { recoveryCountProblem, shareCountProblem } from '../../../seal/config/share-counts.ts'
import { newShamirSeal } from '../../../seal/shamir/shamir.ts'
import { splitKey } from '../../../seal/shamir/shares.ts'
import { encryptShares, encryptToken, readPgpKeys } from './rekey/pgp-keys.ts'
import type { InitRequest } from './seal-control.ts'
import { sealRows } from './seal-rows.ts'

interface Made {
  readonly rootKey: Uint8Array
  readonly keys: readonly Uint8Array[]
  readonly recoveryKeys: readonly Uint8Array[]
}

/**
 * A new keyring, protected by shares or by the seal that unseals by itself: one commit. Refusal 400 when it was
 * done before. `sealToken`: the root token as it goes out.
 */
export async function initialiseBarrier(options: {
  readonly barrier: Barrier
  readonly random: RandomBytes
  readonly request: InitRequest & { readonly initialising?: boolean }
  readonly seal: Seal | undefined
}): Promise<Made & { readonly sealToken: (token: string) => string }> {
  const { barrier, random, request, seal } = options
  const { rootPgpKey = '' } = request
  const now = await barrier.now()
  const [recipient] = rootPgpKey === '' ? [] : await readPgpKeys([rootPgpKey], now, 'root_token_pgp_key: ')
  const made = seal ? await withoutPeople({ ...options, seal }) : await withShares(options)
  return { ...made, sealToken: (token) => (recipient ? encryptToken(token, recipient, random) : token) }
}

type Options = Parameters<typeof initialiseBarrier>[0]

async function withShares({ barrier, random, request }: Options): Promise<Made> {
  const { shares, threshold } = request
  refuse('seal', shareCountProblem({ shares, threshold }))
  const encrypted = await encryption('seal', barrier, random, request, shares)
  const rootKey = Uint8Array.from(random(32))
  const made = await newShamirSeal({ config: { shares, threshold }, rootKey, random })
  const keys = encrypted(made.shares)
  const wrapped = { blob: made.wrappedRootKey, keyId: 'shamir' }
  await barrier.initialise({ rootKey, plain: sealRows({ type: 'shamir', shares, threshold }, wrapped) })
  return { rootKey, keys, recoveryKeys: [] }
}

async function withoutPeople({ barrier, random, request, seal }: Options & { seal: Seal }): Promise<Made> {
  const counts = { shares: request.recoveryShares ?? 0, threshold: request.recoveryThreshold ?? 0 }
  refuse('recovery', recoveryCountProblem(counts))
  const encrypted = await encryption('recovery', barrier, random, request, counts.shares)
  const rootKey = Uint8Array.from(random(32))
  const config = { type: seal.type, ...counts, ...(request.initialising ? { initialising: true } : {}) }
  const plain = sealRows(config, await seal.wrap(rootKey))
  if (counts.shares === 0) {
    await barrier.initialise({ rootKey, plain })
    return { rootKey, keys: [], recoveryKeys: [] }
  }
  const recoveryKey = random(32)
  try {
    const recoveryKeys = encrypted(await splitKey(recoveryKey, counts))
    await barrier.initialise({ rootKey, plain, recoveryKey })
    return { rootKey, keys: [], recoveryKeys }
  } finally {
    recoveryKey.fill(0)
  }
}

/** What becomes of shares before they go out; done before the commit, so that none is lost to a key that can't be used. */
async function encryption(
  what: string,
  barrier: Barrier,
  random: RandomBytes,
  { pgpKeys = [] }: InitRequest,
  shares: number,
): Promise<(shares: readonly Uint8Array[]) => readonly Uint8Array[]> {
  if (pgpKeys.length === 0) return (bare) => bare
  if (pgpKeys.length !== shares) {
    refuse(what, 'count mismatch between number of provided PGP keys and number of shares')
  }
  const recipients = await readPgpKeys(pgpKeys, await barrier.now(), `invalid ${what} configuration: `)
  return (bare) => encryptShares(bare, recipients, random)
}

function refuse(what: string, problem: string | undefined): void {
  if (problem) throw new Refusal(400, `invalid ${what} configuration: ${problem}`)
}
