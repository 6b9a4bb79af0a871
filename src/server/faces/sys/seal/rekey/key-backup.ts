import * as z from 'zod'
import type { EncryptionKey } from '../../../../../lib/openpgp/openpgp.ts'
import type { Barrier } from '../../../../barrier/barrier.ts'
import { decodeShare, encodeShare } from './key-holders.ts'
import type { RekeyTarget } from './rekey-row.ts'

const rowSchema = z.looseObject({
  format: z.literal(1),
  nonce: z.string(),
  /** In the order in which they were handed out; one key may have several. */
  shares: z.array(z.object({ fingerprint: z.string(), message: z.string() })),
})

export interface BackedUpKeys {
  /** Of the operation that made them. */
  readonly nonce: string
  readonly shares: readonly { readonly fingerprint: string; readonly message: Uint8Array }[]
}

/** Copies of the shares that the last operation handed out, encrypted to their holders: for who lost the answer. */
export class KeyBackup {
  readonly #barrier: Barrier

  constructor(barrier: Barrier) {
    this.#barrier = barrier
  }

  /** In place of the copy before. */
  async keep(
    target: RekeyTarget,
    nonce: string,
    keys: readonly EncryptionKey[],
    messages: readonly Uint8Array[],
  ): Promise<void> {
    const core = this.#barrier.view('core/')
    const shares = messages.map((message, i) => ({
      fingerprint: keys[i]?.fingerprint ?? '',
      message: encodeShare(message),
    }))
    await core.transaction(async (tx) => tx.put(core, rowKey(target), { format: 1, nonce, shares }))
  }

  async read(target: RekeyTarget): Promise<BackedUpKeys | undefined> {
    const row = await this.#barrier.view('core/').get(rowKey(target), rowSchema)
    if (!row) return undefined
    const shares = row.shares.map(({ fingerprint, message }) => ({ fingerprint, message: decodeShare(message) }))
    return { nonce: row.nonce, shares }
  }

  async remove(target: RekeyTarget): Promise<void> {
    const core = this.#barrier.view('core/')
    await core.transaction(async (tx) => tx.remove(core, rowKey(target)))
  }
}

const rowKey = (target: RekeyTarget) => `rekey-backup/${target}`
