import * as z from 'zod'
import { pgpRecipientSchema } from './pgp-keys.ts'

/** A rekeying under way, kept encrypted where every node finds it. */
export const rekeySchema = z.looseObject({
  format: z.literal(1),
  nonce: z.string(),
  shares: z.number(),
  threshold: z.number(),
  verify: z.boolean(),
  /** To whom the new shares are encrypted, one each; absent: to nobody. */
  recipients: z.array(pgpRecipientSchema).optional(),
  /** The encrypted shares are kept, too. */
  backup: z.boolean().optional(),
  /** Shares of the present keys. */
  given: z.array(z.string()),
  /** By the storage's clock. */
  expires: z.number(),
  /** The new key, which waits for its own shares to be shown. */
  verification: z.object({ nonce: z.string(), key: z.string(), given: z.array(z.string()) }).optional(),
})
export type RekeyRow = z.infer<typeof rekeySchema>

export type RekeyTarget = 'barrier' | 'recovery'

/** Vault's and OpenBao's words for the same refusals: sys/rekey and sys/rotate differ. */
export interface RekeyWords {
  readonly inProgress: string
  none(target: RekeyTarget): string
  readonly noneToVerify: string
  readonly noVerification: string
  finished(nonce: string): string
  wrongNonce(nonce: string): string
  given(target: RekeyTarget): string
  readonly wrongShares: string
  readonly invalid: string
  readonly noRecovery: string
}

export const rekeyWords: RekeyWords = {
  inProgress: 'rekey already in progress',
  none: (target) => `no ${target} rekey in progress`,
  noneToVerify: 'no rekey in progress',
  noVerification: 'no rekey verification in progress',
  finished: (nonce) =>
    `rekey operation already finished; verification must be performed; nonce for the verification operation is "${nonce}"`,
  wrongNonce: (nonce) => `incorrect nonce supplied; nonce for this rekey operation is "${nonce}"`,
  given: (target) =>
    `given key has already been provided during this ${target === 'barrier' ? 'generation' : 'rekey'} operation`,
  wrongShares: 'rekey verification failed; incorrect key shares supplied',
  invalid: 'invalid rekey seal configuration: ',
  noRecovery: 'recovery rekeying not supported',
}

export const rotationWords: RekeyWords = {
  inProgress: 'rotation already in progress',
  none: () => 'no rotation in progress',
  noneToVerify: 'no rotation in progress',
  noVerification: 'no rotation verification in progress',
  finished: (nonce) =>
    `rotation already finished; verification must be performed; nonce for the verification operation is "${nonce}"`,
  wrongNonce: (nonce) => `incorrect nonce supplied; nonce for rotation is "${nonce}"`,
  given: () => 'given key has already been provided during this rotation',
  wrongShares: 'rotation verification failed; incorrect key shares supplied',
  invalid: 'invalid rotate seal configuration: ',
  noRecovery: 'recovery keys not supported',
}
