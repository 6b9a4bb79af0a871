import * as z from 'zod'
import type { Logger } from '../../../../../lib/log.ts'
import { base62, type RandomBytes, uuid } from '../../../../../lib/random.ts'
import type { Barrier } from '../../../../barrier/barrier.ts'
import { Refusal } from '../../../../contracts/request.ts'
import type { SealConfig } from '../../../../seal/config/seal-config.ts'
import { readSealConfig } from '../seal-rows.ts'
import { alreadyGiven, encodeShare, holdersOf, patienceMs, roundRows, thresholdsOf } from './key-holders.ts'
import { encryptToken, pgpRecipientSchema, readPgpKeys } from './pgp-keys.ts'

/** "hvs." and 24 characters. */
export const otpLength = 28

export interface RootGenerationOptions {
  readonly barrier: Barrier
  readonly random: RandomBytes
  readonly log: Logger
  /** A new root token. */
  readonly newRoot: () => Promise<string>
}

export interface GenerationStatus {
  readonly nonce: string
  readonly started: boolean
  readonly progress: number
  readonly required: number
  readonly complete: boolean
  readonly encodedToken: string
  /** Of the PGP key that the token is encrypted to; '' for none. */
  readonly fingerprint: string
}

const rowSchema = z.looseObject({
  format: z.literal(1),
  nonce: z.string(),
  /** '' where the token is encrypted to a PGP key instead. */
  otp: z.string(),
  recipient: pgpRecipientSchema.optional(),
  given: z.array(z.string()),
  expires: z.number(),
})
type GenerationRow = z.infer<typeof rowSchema>
const rowKey = roundRows.root

/** A root token that the holders of the unseal keys (or recovery keys) make together. */
export class RootGeneration {
  readonly #options: RootGenerationOptions

  constructor(options: RootGenerationOptions) {
    this.#options = options
  }

  /** With neither a one-time password nor a PGP key a password is made here and returned. Refusal 400. */
  async start(given: { readonly otp: string; readonly pgpKey: string }): Promise<string | undefined> {
    const { random, log } = this.#options
    await this.#config()
    const { core, now } = await this.#place()
    if (given.otp !== '' && given.pgpKey !== '') throw new Refusal(400, 'only one of otp and pgp_key may be given')
    const [recipient] = given.pgpKey === '' ? [] : await readPgpKeys([given.pgpKey], now)
    const own = given.otp === '' && !recipient ? base62(random, otpLength) : undefined
    const otp = own ?? given.otp
    if (!recipient && Buffer.byteLength(otp) !== otpLength) throw new Refusal(400, 'OTP string is wrong length')
    const nonce = uuid(random)
    await core.transaction(async (tx) => {
      const before = await tx.get(core, rowKey, rowSchema)
      if (before && before.expires > now) throw new Refusal(400, 'root generation already in progress')
      const row = { format: 1, nonce, otp, given: [], expires: now + patienceMs }
      tx.put(core, rowKey, recipient ? { ...row, recipient: { ...recipient } } : row)
    })
    log.info('root generation initialised', { nonce })
    return own
  }

  async status(): Promise<GenerationStatus> {
    const { threshold: required } = await this.#config()
    const { core, now } = await this.#place()
    const row = await core.get(rowKey, rowSchema)
    if (!row || row.expires <= now) return { ...nothing, required }
    return statusOf(row, row.given.length, required)
  }

  async cancel(): Promise<void> {
    const core = this.#options.barrier.view('core/')
    await core.transaction(async (tx) => tx.remove(core, rowKey))
  }

  /** Shares of an operation that nobody goes on with do not stay in storage. */
  async expire(): Promise<void> {
    const { core, now } = await this.#place()
    await core.transaction(async (tx) => {
      const row = await tx.get(core, rowKey, rowSchema)
      if (row && row.expires <= now) tx.remove(core, rowKey)
    })
  }

  /** Refusal 400 when the shares are wrong: progress is then 0. */
  async update(share: Uint8Array, nonce: string): Promise<GenerationStatus> {
    const config = await this.#config()
    const required = config.threshold
    const thresholds = thresholdsOf(config)
    const { core, now } = await this.#place()
    const { row, given, last } = await core.transaction(async (tx) => {
      const found = await tx.get(core, rowKey, rowSchema)
      if (!found || found.expires <= now) throw new Refusal(400, 'no root generation in progress')
      if (nonce !== found.nonce) {
        throw new Refusal(400, `incorrect nonce supplied; nonce for this root generation operation is "${found.nonce}"`)
      }
      if (alreadyGiven(found.given, share)) {
        throw new Refusal(400, 'given key has already been provided during this generation operation')
      }
      const all = [...found.given, encodeShare(share)]
      const last = all.length >= Math.max(...thresholds)
      tx.put(core, rowKey, { ...found, given: last ? [] : all, expires: now + patienceMs })
      return { row: found, given: all, last }
    })
    const status = statusOf(row, given.length, required)
    if (!last && !thresholds.includes(given.length)) return status
    const { barrier, random } = this.#options
    const words = { combine: 'failed to compute root key', before: 'root generation aborted: ' }
    const holders = await holdersOf({ barrier, random, config, given, last, ...words })
    if (!holders) return status
    holders.key.fill(0)
    return { ...status, complete: true, encodedToken: await this.#finish(row) }
  }

  async #finish(row: GenerationRow): Promise<string> {
    const { log, newRoot, random } = this.#options
    const token = await newRoot()
    const encoded = row.recipient
      ? encryptToken(token, row.recipient, random)
      : xor(Buffer.from(token), Buffer.from(row.otp)).toString('base64').replace(/=+$/, '')
    await this.cancel()
    log.info('root generation finished', { nonce: row.nonce })
    return encoded
  }

  async #config(): Promise<SealConfig> {
    const config = await readSealConfig(this.#options.barrier)
    if (!config) throw new Refusal(400, 'server is not yet initialized')
    return config
  }

  async #place() {
    const { barrier } = this.#options
    return { core: barrier.view('core/'), now: await barrier.now() }
  }
}

/** Refusal 400 when the two don't belong together. */
export function decodeToken(encoded: string, otp: string): string {
  const bytes = Buffer.from(encoded, 'base64')
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(encoded)) throw new Refusal(400, "error decoding base64'd token")
  return xor(bytes, Buffer.from(otp)).toString('utf8')
}

function xor(token: Uint8Array, otp: Uint8Array): Buffer {
  if (token.length !== otp.length) {
    throw new Refusal(400, `length of byte slices is not equivalent: ${token.length} != ${otp.length}`)
  }
  return Buffer.from(token.map((byte, i) => byte ^ (otp[i] ?? 0)))
}

const nothing = { nonce: '', started: false, progress: 0, complete: false, encodedToken: '', fingerprint: '' }

function statusOf(row: GenerationRow, progress: number, required: number): GenerationStatus {
  const fingerprint = row.recipient?.fingerprint ?? ''
  return { ...nothing, nonce: row.nonce, started: true, progress, required, fingerprint }
}
