/** Writes what happens to every audit device, hashed, chained and grouped; refuses the request when none takes it. */
import type { Clock } from '../../../lib/clock.ts'
import { HmacSha256 } from '../../../lib/hmac-sha256/hmac-sha256.ts'
import type { JsonObject } from '../../../lib/json/value.ts'
import type { Logger } from '../../../lib/log.ts'
import { type RandomBytes, uuid } from '../../../lib/random.ts'
import type { AuditedRequest, AuditedResponse, Auditor } from '../../contracts/audit.ts'
import type { AuditDeviceType } from '../../contracts/devices.ts'
import { epochKey, rootNamespace } from '../../contracts/epochs.ts'
import { Refusal } from '../../contracts/request.ts'
import type { Rows, SecretStorage, Tx } from '../../contracts/secret-storage.ts'
import { exchangeLines, type LineOptions, requestLine, responseLine, TimeTexts } from './audit-line.ts'
import {
  allKeys,
  chainKey,
  chainSchema,
  chainView,
  type DeviceRow,
  deviceSchema,
  deviceView,
  headersSchema,
  readEvidence,
  settingsView,
} from './audit-rows.ts'
import { ChainedDevice, type ChainLog } from './chained-device.ts'
import { LineHasher } from './line-hasher.ts'

export interface AuditBrokerOptions {
  readonly rows: Rows
  readonly clock: Clock
  readonly random: RandomBytes
  readonly log: Logger
  readonly devices: Readonly<Record<string, AuditDeviceType>>
  /** Names this process in the records of its chains. */
  readonly node: string
  readonly deadlineMs?: number
  readonly headMs?: number
}

export interface DeviceInfo {
  /** With its trailing slash. */
  readonly path: string
  readonly type: string
  readonly description: string
  readonly options: Readonly<Record<string, string>>
  readonly local: boolean
}

export interface EnableOptions {
  readonly type: string
  readonly description?: string
  readonly options?: Readonly<Record<string, string>>
  readonly local?: boolean
}

interface Live {
  readonly row: DeviceRow
  readonly hasher: LineHasher
  readonly out: ChainedDevice | undefined
  line: LineOptions
}

/** How often a device that could not be opened is tried again, at most. */
const retryMs = 1000

export class AuditBroker implements Auditor {
  readonly #options: AuditBrokerOptions
  readonly #devices: SecretStorage
  readonly #settings: SecretStorage
  readonly #epochs: SecretStorage
  #live = new Map<string, Live>()
  /** Under the key of all chains. */
  #chainHmac: HmacSha256 | undefined
  /** Refreshes run one after another. */
  #refreshing: Promise<void> = Promise.resolve()
  #triedAt = Number.NEGATIVE_INFINITY

  constructor(options: AuditBrokerOptions) {
    this.#options = options
    this.#devices = deviceView(options.rows)
    this.#settings = settingsView(options.rows)
    this.#epochs = options.rows.view(epochKey(rootNamespace.id, 'audit').slice(0, -'audit'.length))
  }

  request(request: AuditedRequest): Promise<void> {
    return this.#write('request', (line) => [requestLine(request, line)])
  }

  response(request: AuditedRequest, response: AuditedResponse): Promise<void> {
    return this.#write('response', (line) => [responseLine(request, response, line)])
  }

  exchange(request: AuditedRequest, response: AuditedResponse): Promise<void> {
    return this.#write('request', (line) => exchangeLines(request, response, line))
  }

  /** The first device that takes the lines is enough; the others get them too. */
  async #write(what: string, lines: (options: LineOptions) => string[]): Promise<void> {
    if (this.#live.size === 0) return
    const writes = [...this.#live.values()].map(({ line, out }) => (out ? out.write(lines(line)) : this.#notOpen()))
    try {
      await (writes.length === 1 ? writes[0] : Promise.any(writes))
    } catch (error) {
      // Each device has logged its own reason.
      throw new Refusal(500, `failed to audit ${what}, cannot continue: no audit device accepts it`, { cause: error })
    }
  }

  #notOpen(): Promise<void> {
    const now = this.#options.clock.monotonic()
    if (now - this.#triedAt >= retryMs) {
      this.#triedAt = now
      this.refresh().catch((error: unknown) => {
        this.#options.log.warn('audit.refresh_failed', { error: String(error) })
      })
    }
    return Promise.reject(new Error('the audit device is not open'))
  }

  /** Brings the open devices to what storage says. Called whenever the epoch `audit` has moved, and at start. */
  refresh(): Promise<void> {
    const next = this.#refreshing.then(() => this.#refresh())
    this.#refreshing = next.catch(() => {})
    return next
  }

  async #refresh(): Promise<void> {
    const headers = new Map(Object.entries(await this.headers()))
    const next = new Map<string, Live>()
    for (const path of await allKeys(this.#devices)) {
      const row = await this.#devices.get(path, deviceSchema)
      if (!row) continue
      const known = this.#live.get(path)
      const live = known?.out && known.row.salt === row.salt ? known : await this.#open(path, row)
      live.line = lineOptions(row, live.hasher, headers)
      next.set(path, live)
    }
    const gone = [...this.#live].filter(([path, live]) => next.get(path) !== live)
    this.#live = next
    for (const [, live] of gone) await live.out?.close()
  }

  /** A device that can't be opened stays enabled and refuses its lines: otherwise a moved folder would switch audit off. */
  async #open(path: string, row: DeviceRow): Promise<Live> {
    const hasher = new LineHasher(Buffer.from(row.salt, 'base64'))
    const line = lineOptions(row, hasher, new Map())
    const { clock, log, devices, deadlineMs = 2000, headMs = 1000 } = this.#options
    try {
      const device = await this.#type(row.type).open(row.options)
      const [chains, hmac] = [this.#chainLog(path), await this.#hmac()]
      const { prefix } = line
      const out = new ChainedDevice({ path, device, chains, hmac, clock, log, prefix, deadlineMs, headMs })
      return { row, hasher, line, out }
    } catch (error) {
      const known = Object.hasOwn(devices, row.type)
      log.error('audit.device_not_opened', { device: path, type: row.type, known, error: String(error) })
      return { row, hasher, line, out: undefined }
    }
  }

  #type(type: string): AuditDeviceType {
    const { devices } = this.#options
    const found = Object.hasOwn(devices, type) ? devices[type] : undefined
    if (!found) throw new Refusal(400, `unknown backend type: ${JSON.stringify(type)}`)
    return found
  }

  async #hmac(): Promise<HmacSha256> {
    this.#chainHmac ??= new HmacSha256(await chainKey(this.#options.rows, this.#options.random))
    return this.#chainHmac
  }

  #chainLog(device: string): ChainLog {
    const { rows, random, clock, node } = this.#options
    const view = chainView(rows)
    return {
      open: () => {
        const chain = uuid(random)
        const row = { format: 1, device, node, openedAt: clock.now(), seq: 0, mac: '', closed: false }
        return view.transaction(async (tx: Tx) => {
          tx.create(view, chain, row)
          return chain
        })
      },
      advance: (chain, head, closed) =>
        view.transaction(async (tx: Tx) => {
          const row = await tx.get(view, chain, chainSchema)
          if (row) tx.put(view, chain, { ...row, ...head, closed })
        }),
      heads: async () => {
        const heads: Record<string, JsonObject> = {}
        for (const { chain, seq, mac, closed } of (await readEvidence(rows))?.heads ?? []) {
          if (!closed && seq > 0) heads[chain] = { seq, mac }
        }
        return heads
      },
    }
  }

  /** Refusal 400: path in use, unknown type, options that the device refuses. The device takes lines when this resolves. */
  async enable(path: string, device: EnableOptions): Promise<void> {
    const id = devicePath(path)
    const { type, description = '', options = {}, local = false } = device
    const opened = await this.#type(type).open(options)
    await opened.close()
    const salt = Buffer.from(this.#options.random(32)).toString('base64')
    lineOptions({ format: 1, type, description, options, local, salt }, new LineHasher(Buffer.alloc(32)), new Map())
    await this.#devices.transaction(async (tx) => {
      if (await tx.get(this.#devices, id, deviceSchema)) throw new Refusal(400, 'path already in use')
      tx.create(this.#devices, id, { format: 1, type, description, options, local, salt })
      this.#bump(tx)
    })
    await this.refresh()
  }

  /** A device that is not there is fine. */
  async disable(path: string): Promise<void> {
    const id = devicePath(path)
    await this.#devices.transaction(async (tx) => {
      if (!(await tx.get(this.#devices, id, deviceSchema))) return
      tx.remove(this.#devices, id)
      this.#bump(tx)
    })
    await this.refresh()
  }

  #bump(tx: Tx): void {
    tx.put(this.#epochs, 'audit', {})
  }

  async list(): Promise<DeviceInfo[]> {
    const found: DeviceInfo[] = []
    for (const path of await allKeys(this.#devices)) {
      const row = await this.#devices.get(path, deviceSchema)
      if (!row) continue
      const { type, description, options, local } = row
      found.push({ path, type, description, options, local })
    }
    return found
  }

  /** What the device would write for this value (sys/audit-hash). */
  async hash(path: string, input: string): Promise<string> {
    const id = devicePath(path)
    const row = await this.#devices.get(id, deviceSchema)
    if (!row) throw new Refusal(400, `unknown audit backend ${JSON.stringify(id)}`)
    return new LineHasher(Buffer.from(row.salt, 'base64')).value(input)
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
    await this.refresh()
  }

  /** SIGHUP: files were moved away. */
  async reopen(): Promise<void> {
    for (const { out } of this.#live.values()) await out?.reopen()
  }

  /** Ends the chains in good order, before the server seals or stops. `refresh` opens the devices again. */
  async close(): Promise<void> {
    await this.#refreshing
    const live = this.#live
    this.#live = new Map()
    this.#chainHmac = undefined
    for (const { out } of live.values()) await out?.close()
  }
}

function devicePath(path: string): string {
  const trimmed = path.replace(/^\/+|\/+$/g, '')
  if (trimmed === '') throw new Refusal(400, 'missing path')
  return `${trimmed}/`
}

/** The options that every type has. Refusal 400 when one is not a boolean. */
function lineOptions(row: DeviceRow, hasher: LineHasher, headers: ReadonlyMap<string, boolean>): LineOptions {
  const flag = (name: string, otherwise: boolean) => {
    const text = row.options[name]
    if (text === undefined || text === '') return otherwise
    if (/^(?:1|t|true)$/i.test(text)) return true
    if (/^(?:0|f|false)$/i.test(text)) return false
    throw new Refusal(400, `${name} must be true or false`)
  }
  const format = row.options['format']
  if (format !== undefined && format !== 'json') throw new Refusal(400, `unknown format type ${JSON.stringify(format)}`)
  return {
    hasher,
    headers,
    times: new TimeTexts(),
    issueTimes: new TimeTexts(),
    asked: new WeakMap(),
    logRaw: flag('log_raw', false),
    hmacAccessor: flag('hmac_accessor', true),
    elideListResponses: flag('elide_list_responses', false),
    prefix: row.options['prefix'] ?? '',
  }
}
