/** The rows of audit devices: enabled by API or declared in the configuration. */
import type { RandomBytes } from '../../../lib/random.ts'
import { epochKey, rootNamespace } from '../../contracts/epochs.ts'
import { Refusal } from '../../contracts/request.ts'
import type { Rows, SecretStorage, Tx } from '../../contracts/secret-storage.ts'
import { allKeys, type DeviceRow, deviceSchema, deviceView, headersSchema, settingsView } from './audit-rows.ts'
import type { DeclaredDevice } from './declared-devices.ts'

export interface EnableOptions {
  readonly type: string
  readonly description?: string
  readonly options?: Readonly<Record<string, string>>
  readonly local?: boolean
}

export function devicePath(path: string): string {
  const trimmed = path.replace(/^\/+|\/+$/g, '')
  if (trimmed === '') throw new Refusal(400, 'missing path')
  if (trimmed.length > 200 || /[\0-\x1f\x7f]|\/\//.test(trimmed)) {
    throw new Refusal(
      400,
      'the path of an audit device must have at most 200 characters, no control characters and no "//"',
    )
  }
  return `${trimmed}/`
}

export class DeviceTable {
  readonly #devices: SecretStorage
  readonly #settings: SecretStorage
  readonly #epochs: SecretStorage
  readonly #random: RandomBytes

  constructor(rows: Rows, random: RandomBytes) {
    this.#devices = deviceView(rows)
    this.#settings = settingsView(rows)
    this.#epochs = rows.view(epochKey(rootNamespace.id, 'audit').slice(0, -'audit'.length))
    this.#random = random
  }

  get(path: string): Promise<DeviceRow | undefined> {
    return this.#devices.get(path, deviceSchema)
  }

  async all(): Promise<(readonly [path: string, row: DeviceRow])[]> {
    const found: (readonly [string, DeviceRow])[] = []
    for (const path of await allKeys(this.#devices)) {
      const row = await this.get(path)
      if (row) found.push([path, row])
    }
    return found
  }

  /** Refusal 400 when the path, or one above or below it, is taken, or there is a fallback device already. */
  async add(path: string, device: EnableOptions, fallback: boolean, declared = false): Promise<void> {
    for (const [known] of await this.all()) {
      if (known.startsWith(path) || path.startsWith(known)) throw new Refusal(400, 'path already in use')
    }
    await this.#devices.transaction(async (tx) => {
      if (await tx.get(this.#devices, path, deviceSchema)) throw new Refusal(400, 'path already in use')
      if (fallback) await this.#claimFallback(tx, path)
      tx.create(this.#devices, path, this.#row(device, declared, undefined))
      this.#bump(tx)
    })
  }

  /** Several devices may take what no other takes only if it is clear which one does. */
  async #claimFallback(tx: Tx, path: string): Promise<void> {
    const holder = await tx.get(this.#settings, 'fallback', fallbackSchema)
    if (holder !== undefined && holder !== path && (await tx.get(this.#devices, holder, deviceSchema))) {
      throw new Refusal(400, `there is a fallback audit device already: ${holder}`)
    }
    tx.put(this.#settings, 'fallback', { format: 1, path })
  }

  #row(device: EnableOptions, declared: boolean, salt: string | undefined) {
    const { type, description = '', options = {}, local = false } = device
    return {
      format: 1,
      type,
      description,
      options,
      local,
      declared,
      salt: salt ?? Buffer.from(this.#random(32)).toString('base64'),
    } as const
  }

  /** A declared device is made or changed; its salt stays. An API's device gives way to none. */
  async declare({ path, ...device }: DeclaredDevice, fallback: boolean): Promise<void> {
    const known = await this.get(path)
    if (!known) return this.add(path, device, fallback, true)
    const wanted = this.#row(device, true, known.salt)
    if (sameDevice(known, wanted)) return
    await this.#devices.transaction(async (tx) => {
      if (fallback) await this.#claimFallback(tx, path)
      tx.put(this.#devices, path, wanted)
      this.#bump(tx)
    })
  }

  /** A device that is not there is fine. */
  async remove(path: string, declared = false): Promise<void> {
    await this.#devices.transaction(async (tx) => {
      const row = await tx.get(this.#devices, path, deviceSchema)
      if (!row) return
      if (row.declared && !declared) {
        throw new Refusal(
          400,
          'cannot disable audit device via API: it is declared in the configuration of the server, take it out there',
        )
      }
      if ((await tx.get(this.#settings, 'fallback', fallbackSchema)) === path) tx.remove(this.#settings, 'fallback')
      tx.remove(this.#devices, path)
      this.#bump(tx)
    })
  }

  /** The request headers that lines record, lower-cased; true = hashed. */
  async headers(): Promise<Readonly<Record<string, boolean>>> {
    return (await this.#settings.get('headers', headersSchema)) ?? {}
  }

  /** Undefined ends the recording of a header. */
  async setHeader(name: string, hmac: boolean | undefined): Promise<void> {
    await this.#settings.transaction(async (tx) => {
      const { [name.toLowerCase()]: _, ...others } = (await tx.get(this.#settings, 'headers', headersSchema)) ?? {}
      const headers = hmac === undefined ? others : { ...others, [name.toLowerCase()]: hmac }
      tx.put(this.#settings, 'headers', { format: 1, headers })
      this.#bump(tx)
    })
  }

  #bump(tx: Tx): void {
    tx.put(this.#epochs, 'audit', {})
  }
}

const fallbackSchema = {
  parse(value: unknown): string {
    const path = typeof value === 'object' && value !== null && 'path' in value ? value.path : undefined
    if (typeof path !== 'string') throw new Error('not a row of the fallback audit device')
    return path
  },
}

function sameDevice(a: DeviceRow, b: DeviceRow): boolean {
  const text = ({ type, description, options, local, declared }: DeviceRow) =>
    JSON.stringify([type, description, Object.entries(options).sort(), local, declared])
  return text(a) === text(b)
}
