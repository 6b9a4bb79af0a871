import type { NodeSeal } from '../../../server/faces/sys/seal/node-seal.ts'
import type { SealControl } from '../../../server/faces/sys/seal/seal-control.ts'
import type { Channel } from './channel.ts'
import type { ToMember, ToPrimary } from './messages.ts'

const none = { progress: 0, nonce: '' }

export interface NodeSealControlOptions {
  /** Of this process. */
  readonly own: NodeSeal
  readonly primary: Channel<ToPrimary, ToMember>
  /** Which opening of the node this process knows. */
  readonly opening: () => number
}

/**
 * sys/init, sys/unseal and the like on a worker. One process of the node, the housekeeper, collects shares and opens: whichever
 * worker is asked, there is one progress. It answers when every worker is open. What lies in storage is anybody's to do.
 */
export function nodeSealControl({ own, primary, opening }: NodeSealControlOptions): SealControl {
  return {
    rekey: own.rekey,
    rootGeneration: own.rootGeneration,
    rotation: own.rotation,
    status: async () => {
      const status = await own.status()
      if (!status.sealed || !status.initialised) return status
      // A housekeeper that is being started anew has no shares.
      return { ...status, ...(await primary.call('unsealProgress', null).catch(() => none)) }
    },
    initialise: (request) => primary.call('initialise', request),
    unseal: async (share, migrate = false) => {
      if (!own.sealed) return
      try {
        await primary.call('unseal', { share, migrate })
      } finally {
        share.fill(0)
      }
    },
    // The next question goes the same way and so comes after it.
    resetUnseal: () => primary.tell('resetUnseal', null),
    seal: async () => {
      await own.seal()
      await primary.call('sealed', { opening: opening() })
    },
    close: () => {
      primary.tell('sealed', { opening: opening() })
      return own.close()
    },
    stepDown: async () => {
      await primary.call('stepDown', null)
    },
  }
}
