/** Engines whose subject is the server itself: always there; in storage only what they were tuned to. */
import * as z from 'zod'
import type { Mounted } from '../contracts/mounted.ts'
import { type MountConfig, type MountInfo, Refusal } from '../contracts/request.ts'
import type { Rows, SecretStorage, Tx } from '../contracts/secret-storage.ts'
import { Mount } from './mount.ts'
import { mountConfigSchema } from './mount-row.ts'

export interface Builtin {
  readonly info: MountInfo
  readonly version: string
  /** Where its rows lie; by default below its UUID. */
  readonly prefix?: string
  /** Its limits, description and options can be changed; the engine then is made anew. */
  readonly tunable?: true
  create(storage: SecretStorage): Mounted
}

/** What a mount can be tuned to. */
export type Tuning = Pick<MountInfo, 'description' | 'options' | 'config'>

const tuningSchema: z.ZodType<Tuning> = z.looseObject({
  format: z.literal(1),
  description: z.string(),
  options: z.record(z.string(), z.string()).nullable(),
  config: mountConfigSchema,
})

interface Made {
  readonly text: string
  readonly mount: Mount
}

export class BuiltinMounts {
  readonly #rows: Rows
  readonly #view: SecretStorage
  readonly #source: () => readonly Builtin[]
  #builtins: readonly Builtin[] | undefined
  readonly #made = new Map<string, Made>()
  #tunings: ReadonlyMap<string, Tuning> = new Map()

  /** `view`: of the rows of one namespace. */
  constructor(options: { rows: Rows; view: SecretStorage; builtins: () => readonly Builtin[] }) {
    this.#rows = options.rows
    this.#view = options.view.at('tuned/')
    this.#source = options.builtins
  }

  /** As tuned when `load` last ran; a mount whose tuning did not change stays the same one. */
  get mounts(): readonly Mount[] {
    this.#builtins ??= this.#source()
    return this.#builtins.map((builtin) => this.#mountOf(builtin))
  }

  /** Reads what they are tuned to; the caller sees to it that the epoch did not move meanwhile. */
  async load(): Promise<void> {
    this.#builtins ??= this.#source()
    const tunings = new Map<string, Tuning>()
    for (const { info, tunable } of this.#builtins) {
      const tuning = tunable && (await this.#view.get(info.uuid, tuningSchema))
      if (tuning) tunings.set(info.uuid, tuning)
    }
    this.#tunings = tunings
  }

  /** Undefined: not one of these. Refuses (400) one that is not to be tuned. */
  tune(mount: Mount, change: (before: Tuning) => Partial<Tuning>): ((tx: Tx) => Promise<void>) | undefined {
    const builtin = this.#builtins?.find(({ info }) => info.uuid === mount.info.uuid)
    if (!builtin) return undefined
    if (!builtin.tunable) throw new Refusal(400, `cannot tune "${mount.info.path}"`)
    const { uuid, description, options, config } = builtin.info
    return async (tx) => {
      const before = (await tx.get(this.#view, uuid, tuningSchema)) ?? { description, options, config }
      const next: Tuning & { config: MountConfig } = { ...before, ...change(before) }
      tx.put(this.#view, uuid, { ...next, format: 1, config: { ...next.config } })
    }
  }

  async forget(): Promise<void> {
    this.#tunings = new Map()
    const made = [...this.#made.values()]
    this.#made.clear()
    for (const { mount } of made) await mount.close()
  }

  #mountOf(builtin: Builtin): Mount {
    const tuning = this.#tunings.get(builtin.info.uuid)
    const text = tuning ? JSON.stringify(tuning) : ''
    const known = this.#made.get(builtin.info.uuid)
    if (known?.text === text) return known.mount
    const { version, prefix = `mnt/${builtin.info.uuid}/` } = builtin
    const storage = this.#rows.view(prefix)
    const info = tuning
      ? { ...builtin.info, description: tuning.description, options: tuning.options, config: tuning.config }
      : builtin.info
    const create = () => builtin.create(storage)
    const mount = new Mount({ info, version, storage, builtin: true, removing: false, create })
    this.#made.set(builtin.info.uuid, { text, mount })
    return mount
  }
}
