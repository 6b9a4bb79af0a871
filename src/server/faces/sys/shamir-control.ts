/** The life of a server under a Shamir seal: initialise, unseal with shares, seal. */
import { z } from 'zod'
import type { Logger } from '../../../lib/log.ts'
import { type RandomBytes, uuid } from '../../../lib/random.ts'
import { type Barrier, plainRows } from '../../barrier/barrier.ts'
import { Refusal } from '../../contracts/request.ts'
import { decodeShamirConfig, type ShamirConfig, shamirConfig } from '../../seal/shamir/config.ts'
import { newShamirSeal, shamirSeal } from '../../seal/shamir/shamir.ts'
import { UnsealProgress } from '../../seal/shamir/unseal-progress.ts'
import type { SealControl, SealStatus } from './seal-control.ts'

export interface ShamirControlOptions {
  readonly barrier: Barrier
  readonly random: RandomBytes
  readonly log: Logger
  /** Makes the first root token; the barrier is open for it. */
  readonly createRoot: (token: string | undefined) => Promise<string>
  /** Starts what needs keys. */
  readonly opened: () => Promise<void>
  /** Waits for what is under way and forgets what came from storage, before the keys go. */
  readonly closing: () => Promise<void>
}

const clusterSchema = z.looseObject({ name: z.string(), id: z.string() })
const open = { progress: 0, nonce: '' }

export class ShamirControl implements SealControl {
  readonly #options: ShamirControlOptions
  #progress: UnsealProgress | undefined
  #cluster: { readonly name: string; readonly id: string } | undefined
  /** Set from the moment that no request may begin any more. */
  #closing: Promise<void> | undefined

  constructor(options: ShamirControlOptions) {
    this.#options = options
  }

  get sealed(): boolean {
    return this.#closing !== undefined || this.#options.barrier.sealed
  }

  async status(): Promise<SealStatus> {
    const config = await this.#config()
    const { progress, nonce } = this.#progress?.state ?? open
    return {
      type: 'shamir',
      initialised: config !== undefined,
      sealed: this.sealed,
      threshold: config?.threshold ?? 0,
      shares: config?.shares ?? 0,
      progress,
      nonce,
      ...(this.#cluster && !this.sealed ? { cluster: this.#cluster } : {}),
    }
  }

  async initialise(given: { shares: number; threshold: number; rootToken?: string }) {
    const { barrier, random } = this.#options
    const config = shamirConfig(given)
    const rootKey = Uint8Array.from(random(32))
    const { shares, sealConfig, wrappedRootKey } = await newShamirSeal({ config, rootKey, random })
    await barrier.initialise({
      rootKey,
      plain: [
        { key: plainRows.sealConfig, value: sealConfig },
        { key: plainRows.wrappedRootKey, value: wrappedRootKey },
      ],
    })
    // Whoever loses the answer has lost the shares too, so nothing is gained by doing the rest in the same commit.
    await barrier.unseal(rootKey)
    rootKey.fill(0)
    try {
      await this.#nameCluster()
      const rootToken = await this.#options.createRoot(given.rootToken)
      return { keys: shares, rootToken }
    } finally {
      barrier.seal()
    }
  }

  async unseal(share: Uint8Array): Promise<void> {
    await this.#closing
    if (!this.#options.barrier.sealed) return
    const progress = await this.#collecting()
    const { unsealed } = await progress.submit(share)
    if (unsealed) this.#progress = undefined
  }

  resetUnseal(): void {
    this.#progress?.reset()
  }

  async seal(): Promise<void> {
    const { barrier, random } = this.#options
    const core = barrier.view('core/')
    await core.transaction(async (tx) => tx.put(core, 'sealed', { format: 1, id: uuid(random) }))
    this.close()
  }

  /** Forgets the keys of this process; resolves when they are gone. */
  close(): Promise<void> {
    if (this.#options.barrier.sealed) return Promise.resolve()
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const { barrier, closing, log } = this.#options
    try {
      await closing()
    } catch (error) {
      log.warn('closing before the seal failed', { error: String(error) })
    } finally {
      barrier.seal()
      this.#cluster = undefined
      this.#closing = undefined
    }
  }

  async #collecting(): Promise<UnsealProgress> {
    if (this.#progress) return this.#progress
    const { random } = this.#options
    const config = await this.#config()
    // Without this a share sent too early would leave a progress of the wrong threshold behind.
    if (!config) throw new Refusal(400, 'Vault is not initialized')
    this.#progress ??= new UnsealProgress({ threshold: config.threshold, random, open: (kek) => this.#open(kek) })
    return this.#progress
  }

  async #open(kek: Uint8Array): Promise<void> {
    const { barrier, random, opened } = this.#options
    const blob = await barrier.readPlain(plainRows.wrappedRootKey)
    if (!blob) throw new Error(`the row "${plainRows.wrappedRootKey}" is gone`)
    const seal = shamirSeal({ kek, random })
    const rootKey = await seal.unwrap(blob, seal.keyId())
    try {
      await barrier.unseal(rootKey)
    } finally {
      rootKey.fill(0)
    }
    try {
      this.#cluster = await barrier.view('core/').get('cluster', clusterSchema)
      await opened()
    } catch (error) {
      // Half open is worse than sealed: nobody would expire what is due.
      this.close()
      throw error
    }
  }

  async #nameCluster(): Promise<void> {
    const { barrier, random } = this.#options
    const core = barrier.view('core/')
    const name = `vault-cluster-${Buffer.from(random(4)).toString('hex')}`
    await core.transaction(async (tx) => tx.create(core, 'cluster', { format: 1, name, id: uuid(random) }))
  }

  async #config(): Promise<ShamirConfig | undefined> {
    const { barrier } = this.#options
    if (!(await barrier.initialised())) return undefined
    const row = await barrier.readPlain(plainRows.sealConfig)
    if (!row) throw new Error(`the row "${plainRows.sealConfig}" is gone`)
    return decodeShamirConfig(row)
  }
}
