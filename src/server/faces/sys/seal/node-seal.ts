/** The life of one node: initialise, unseal with shares or by itself, seal. */
import * as z from 'zod'
import type { Clock } from '../../../../lib/clock.ts'
import type { Logger } from '../../../../lib/log.ts'
import { type RandomBytes, uuid } from '../../../../lib/random.ts'
import type { Barrier } from '../../../barrier/barrier.ts'
import type { Seal } from '../../../contracts/devices.ts'
import { Refusal } from '../../../contracts/request.ts'
import type { SealConfig } from '../../../seal/config/seal-config.ts'
import { UnsealProgress } from '../../../seal/shamir/unseal-progress.ts'
import { AutoUnseal } from './auto-unseal.ts'
import { FirstStart } from './first-start.ts'
import { initialiseBarrier } from './initialise.ts'
import { KeyRotation } from './key-rotation.ts'
import { type Migration, migrate, migrationOf } from './migration.ts'
import { automatic, openRoot, thresholdsOf } from './rekey/key-holders.ts'
import { Rekey } from './rekey/rekey.ts'
import { RootGeneration } from './rekey/root-generation.ts'
import type { InitRequest, InitResult, SealControl, SealStatus } from './seal-control.ts'
import { readSealConfig, readWrappedKey, sealRows } from './seal-rows.ts'

/** The configured seals that unseal by themselves; none: shares of people. */
export interface ConfiguredSeals {
  readonly current?: Seal
  /** Configured with disabled = true: the one to migrate from. */
  readonly from?: Seal
}

export interface NodeSealOptions {
  readonly barrier: Barrier
  readonly random: RandomBytes
  readonly clock: Clock
  readonly log: Logger
  readonly seals?: ConfiguredSeals
  /** Makes the first root token; the barrier is open for it, and nothing else. */
  readonly createRoot: (token: string | undefined) => Promise<string>
  /** A root token of an unsealed server. */
  readonly newRoot: () => Promise<string>
  /** Starts what needs keys. */
  readonly opened: () => Promise<void>
  /** It is open, by people or by the seal, and takes requests. */
  readonly unsealed?: () => Promise<void>
  /** Waits for what is under way and forgets what came from storage, before the keys go. */
  readonly closing: () => Promise<void>
  /** Gives up the housekeeping of this node for a while. */
  readonly stepDown?: () => Promise<void>
}

const clusterSchema = z.looseObject({ name: z.string(), id: z.string() })
const open = { progress: 0, nonce: '' }
const upkeepMs = 60_000
/** How often a node that unseals itself looks whether there is something to unseal. */
const uninitialisedMs = 5000
/** For the answer of a rekeying to arrive, before the unseal keys before stop opening. */
const proofMs = 30_000

export class NodeSeal implements SealControl {
  readonly rekey: Rekey
  readonly rootGeneration: RootGeneration
  readonly rotation: KeyRotation
  readonly firstStart: FirstStart
  readonly #options: NodeSealOptions
  readonly #auto: AutoUnseal
  #progress: UnsealProgress | undefined
  #cluster: { readonly name: string; readonly id: string } | undefined
  /** Set from the moment that no request may begin any more. */
  #closing: Promise<void> | undefined
  /** What needs keys has begun, audit devices before all: a request that came sooner would pass unrecorded. */
  #opened = false
  #cancelWait: (() => void) | undefined
  #initialising = false
  #timers: (() => void)[] = []

  constructor(options: NodeSealOptions) {
    this.#options = options
    const seal = () => options.seals?.current
    const unproven = () => this.#later(proofMs, () => this.#dropPrevious())
    this.rekey = new Rekey({ ...options, seal, unproven })
    this.rootGeneration = new RootGeneration(options)
    this.rotation = new KeyRotation(options)
    this.firstStart = new FirstStart(options.barrier)
    this.#auto = new AutoUnseal({ ...options, attempt: () => this.#unsealAlone() })
  }

  get sealed(): boolean {
    return !this.#opened || this.#closing !== undefined || this.#options.barrier.sealed
  }

  async status(): Promise<SealStatus> {
    const config = await readSealConfig(this.#options.barrier)
    const { progress, nonce } = this.#progress?.state ?? open
    const type = config?.type ?? this.#options.seals?.current?.type ?? 'shamir'
    return {
      type,
      initialised: config !== undefined,
      sealed: this.sealed,
      threshold: config?.threshold ?? 0,
      shares: config?.shares ?? 0,
      progress,
      nonce,
      recovery: type !== 'shamir',
      migration: config !== undefined && this.#migration(config) !== undefined,
      ...(this.#cluster && !this.sealed ? { cluster: this.#cluster } : {}),
    }
  }

  /** `initialising`: the requests of the first start follow. `rootToken`: a chosen one (-dev). */
  async initialise(request: InitRequest & { rootToken?: string; initialising?: boolean }): Promise<InitResult> {
    this.#cancelWait?.()
    this.#initialising = true
    try {
      const made = await this.#initialise(request)
      // The seal may be away just now: the answer holds what nobody can get again, so it must not be lost to that.
      if (this.#options.seals?.current) await this.#auto.start()
      return made
    } catch (error) {
      this.#awaitInitialisation()
      throw error
    } finally {
      this.#initialising = false
    }
  }

  async #initialise(request: InitRequest & { rootToken?: string; initialising?: boolean }): Promise<InitResult> {
    const { barrier, random, seals } = this.#options
    const { rootKey, sealToken, ...made } = await initialiseBarrier({ barrier, random, request, seal: seals?.current })
    // Whoever loses the answer has lost the shares too, so nothing is gained by doing the rest in the same commit.
    await barrier.unseal(rootKey)
    rootKey.fill(0)
    try {
      await this.#nameCluster()
      return { ...made, rootToken: sealToken(await this.#options.createRoot(request.rootToken)) }
    } finally {
      barrier.seal()
    }
  }

  /** At the process's start: unseals by itself where it can, again and again while the seal is away. Throws when the configured seal does not fit the storage. */
  async start(): Promise<void> {
    const config = await readSealConfig(this.#options.barrier)
    // Who initialises unseals, too.
    if (this.#initialising) return
    if (!config) return this.#awaitInitialisation()
    if (this.#migration(config) || !automatic(config)) return
    await this.#auto.start()
  }

  /** Another node may be the one that is asked to initialise. */
  #awaitInitialisation(): void {
    const { seals, clock, log } = this.#options
    if (!seals?.current) return
    this.#cancelWait = clock.after(uninitialisedMs, () => {
      this.start().catch((error: unknown) => {
        log.warn('not unsealed yet, will be tried again', { error: String(error) })
        this.#awaitInitialisation()
      })
    })
  }

  async unseal(share: Uint8Array, migrate = false): Promise<void> {
    await this.#closing
    if (!this.#options.barrier.sealed) return
    const progress = await this.#collecting(migrate)
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

  /** A root token of the unsealed server, for what it does by itself: to be revoked. */
  newRoot(): Promise<string> {
    return this.#options.newRoot()
  }

  async stepDown(): Promise<void> {
    await this.#options.stepDown?.()
  }

  /** Forgets the keys of this process; resolves when they are gone. */
  close(): Promise<void> {
    this.#auto.stop()
    this.#cancelWait?.()
    if (this.#options.barrier.sealed) return Promise.resolve()
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const { barrier, closing, log } = this.#options
    for (const cancel of this.#timers.splice(0)) cancel()
    try {
      await closing()
    } catch (error) {
      log.warn('closing before the seal failed', { error: String(error) })
    } finally {
      barrier.seal()
      this.#opened = false
      this.#cluster = undefined
      this.#closing = undefined
    }
  }

  /** Undefined: storage is protected by the configured seal. Throws when there is no way from the one to the other. */
  #migration(config: SealConfig): Migration | undefined {
    return migrationOf(config, this.#options.seals ?? {})
  }

  async #collecting(migrate: boolean): Promise<UnsealProgress> {
    const { random, barrier } = this.#options
    const config = await readSealConfig(barrier)
    // Without this a share sent too early would leave a progress of the wrong threshold behind.
    if (!config) throw new Refusal(400, 'Vault is not initialized')
    const migration = this.#migration(config)
    if (migrate && !migration) throw new Refusal(400, "can't perform a seal migration, no migration seal found")
    if (!migrate && migration) throw new Refusal(400, 'migrate option not provided and seal migration is pending')
    if (migration?.from && config.shares === 0) {
      throw new Refusal(
        400,
        'a seal migration needs recovery keys, and there are none: start with the seal before, make them with sys/rotate/recovery/init, then migrate',
      )
    }
    if (!migration && automatic(config)) {
      throw new Refusal(400, `this server unseals itself (seal "${config.type}"): it takes no unseal keys`)
    }
    // The keys may have been changed by another node since the last round.
    if (this.#progress && this.#progress.state.progress > 0) return this.#progress
    const thresholds = thresholdsOf(config)
    const open = (key: Uint8Array) => (migration ? this.#migrate(key, config, migration) : this.#openWith(key, config))
    this.#progress = new UnsealProgress({ thresholds, random, open })
    return this.#progress
  }

  /** Unseal keys: the present ones, or those before while nobody has shown the present ones. */
  async #openWith(kek: Uint8Array, config: SealConfig): Promise<void> {
    const { barrier, random, log } = this.#options
    const { rootKey, present } = await openRoot({ barrier, random, config, key: kek })
    await this.#openRoot(rootKey)
    await this.#tellUnsealed()
    if (!present) log.warn('unsealed with the unseal keys before the last rekey: the new ones were never used')
    else if (config.previous) {
      // It is unsealed, and the next unsealing tries this again.
      await this.#dropPrevious().catch((error: unknown) => {
        log.warn('the unseal keys before the last rekey still open', { error: String(error) })
      })
    }
  }

  async #unsealAlone(): Promise<void> {
    const { barrier, seals } = this.#options
    await this.#closing
    if (!barrier.sealed) return
    const seal = seals?.current
    if (!seal) throw new Error('no seal is configured that unseals by itself')
    const { blob, keyId } = await readWrappedKey(barrier)
    const rootKey = await seal.unwrap(blob, keyId)
    await this.#openRoot(rootKey)
    await this.#tellUnsealed()
    if (keyId !== seal.keyId()) await this.#rewrap(seal)
  }

  async #migrate(key: Uint8Array, config: SealConfig, migration: Migration): Promise<void> {
    await migrate({ ...this.#options, key, config, migration })
    await this.#afterOpening()
    await this.#tellUnsealed()
  }

  /** A copy of the one in use, to be zeroed. */
  async rootKey(): Promise<Uint8Array> {
    let found: Uint8Array | undefined
    await this.#options.barrier.reroot(async (rootKey) => {
      found = rootKey()
      return undefined
    })
    if (!found) throw new Error('there is no root key')
    return found
  }

  /** With the root key (zeroed) that another process of this node has. */
  async openWith(rootKey: Uint8Array): Promise<void> {
    await this.#closing
    if (this.#options.barrier.sealed) await this.#openRoot(rootKey)
    else rootKey.fill(0)
  }

  /** The seal has another key than the one that wrapped the root key. */
  async #rewrap(seal: Seal): Promise<void> {
    const { barrier, log } = this.#options
    try {
      await barrier.reroot(async (rootKeyNow) => {
        const config = await readSealConfig(barrier)
        if (!config) return undefined
        const rootKey = rootKeyNow()
        try {
          return { plain: sealRows(config, await seal.wrap(rootKey)) }
        } finally {
          rootKey.fill(0)
        }
      })
      log.info('root key wrapped anew', { type: seal.type, key: seal.keyId() })
    } catch (error) {
      log.warn('root key not wrapped anew, the key before is still needed', { error: String(error) })
    }
  }

  async #openRoot(rootKey: Uint8Array): Promise<void> {
    try {
      await this.#options.barrier.unseal(rootKey)
    } finally {
      rootKey.fill(0)
    }
    await this.#afterOpening()
  }

  async #afterOpening(): Promise<void> {
    const { barrier, opened } = this.#options
    try {
      this.#cluster = await barrier.view('core/').get('cluster', clusterSchema)
      await opened()
      this.#opened = true
      this.#later(upkeepMs, () => this.#upkeep())
    } catch (error) {
      // Half open is worse than sealed: nobody would expire what is due. Who unseals itself tries again after that.
      this.#closing ??= this.#close()
      throw error
    }
  }

  async #tellUnsealed(): Promise<void> {
    const { unsealed, log } = this.#options
    await unsealed?.().catch((error: unknown) =>
      log.warn('others were not told of the unsealing', { error: String(error) }),
    )
  }

  async #upkeep(): Promise<void> {
    this.#later(upkeepMs, () => this.#upkeep())
    await this.rotation.rotateIfDue()
    await this.rekey.expire()
    await this.rootGeneration.expire()
  }

  /** The present unseal keys have arrived: those before stop opening. */
  async #dropPrevious(): Promise<void> {
    const { barrier } = this.#options
    await barrier.reroot(async () => {
      const config = await readSealConfig(barrier)
      if (!config?.previous) return undefined
      const { previous: _, ...rest } = config
      return { plain: sealRows(rest) }
    })
  }

  #later(ms: number, work: () => Promise<void>): void {
    const { clock, log } = this.#options
    const cancel = clock.after(ms, () => {
      this.#timers = this.#timers.filter((timer) => timer !== cancel)
      if (!this.sealed) work().catch((error: unknown) => log.warn('seal upkeep failed', { error: String(error) }))
    })
    this.#timers.push(cancel)
  }

  async #nameCluster(): Promise<void> {
    const { barrier, random } = this.#options
    const core = barrier.view('core/')
    const name = `vault-cluster-${Buffer.from(random(4)).toString('hex')}`
    await core.transaction(async (tx) => tx.create(core, 'cluster', { format: 1, name, id: uuid(random) }))
  }
}
