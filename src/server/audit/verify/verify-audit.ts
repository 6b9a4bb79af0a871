/** Proves that audit files hold what was written to them, nothing less, nothing else. Pure: files, keys and recorded heads in, findings out. */
import { createHmac, createPublicKey, type KeyObject, verify } from 'node:crypto'
import { type AuditFile, auditLines } from './audit-file.ts'
import {
  type ChainRecord,
  isChainLine,
  parseObject,
  readChainRecord,
  readLink,
  timeOf,
  type WitnessedHead,
  withoutPrefix,
} from './audit-line.ts'
import { ChainCheck } from './chain-check.ts'
import { type AuditFindings, Problems } from './findings.ts'

export interface VerifyInput {
  /** The files of one device, rotated ones included, preferably in the order in which they were written. */
  readonly files: readonly AuditFile[]
  /** Of the links between lines. Without it altered lines are found by checkpoints only, in the files' order. */
  readonly key?: Uint8Array
  /** "ed25519:…". Without it the signatures of checkpoints are not checked. */
  readonly publicKey?: string
  /** What storage says about chains. Heads in the files' own lines count besides. Undefined: storage was not asked. */
  readonly heads?: readonly WitnessedHead[]
  /** Only chains of this device ("file/") are missed. Default: that of the files. */
  readonly device?: string
  /** The beginning may be in files that are not given. */
  readonly partial?: boolean
  readonly progress?: (lines: number, file: string) => void
}

/** Memory is bounded: files are read once, and of each chain only its ends are kept. */
export async function verifyAudit(input: VerifyInput): Promise<AuditFindings> {
  const run = new Verification(input)
  for (const file of input.files) await run.read(file)
  return run.finish()
}

/** The 32 bytes after "ed25519:" as a key; undefined when it isn't one. */
export function readPublicKey(text: string): KeyObject | undefined {
  const x = /^ed25519:([A-Za-z0-9_-]{43})$/.exec(text.trim())?.[1]
  return x === undefined ? undefined : createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
}

/** Between these the event loop runs. */
const progressLines = 4096
/** Heads of chains that are not in the files. */
const maxAbsent = 100_000

class Verification {
  readonly #input: VerifyInput
  readonly #problems = new Problems()
  readonly #chains = new Map<string, ChainCheck>()
  /** Chains that lines speak of before, or without, a line of theirs. */
  readonly #absent = new Map<string, WitnessedHead>()
  readonly #recorded: ReadonlyMap<string, WitnessedHead>
  readonly #publicKey: KeyObject | undefined
  /** Chains that a signed line, or one of a chain that storage knows, speaks of. */
  readonly #vouched = new Set<string>()
  readonly #devices = new Set<string>()
  #lines = 0
  #checkpoints = 0
  #earliest: string | undefined

  constructor(input: VerifyInput) {
    this.#input = input
    this.#recorded = new Map((input.heads ?? []).map((head) => [head.chain, head]))
    this.#publicKey = input.publicKey === undefined ? undefined : readPublicKey(input.publicKey)
    if (input.publicKey !== undefined && !this.#publicKey)
      throw new Error('the public key is not of the form ed25519:…')
  }

  async read(file: AuditFile): Promise<void> {
    for await (const { bytes, line, complete } of auditLines(file)) {
      this.#lines += 1
      if (this.#lines % progressLines === 0) this.#input.progress?.(this.#lines, file.name)
      this.#line(withoutPrefix(bytes), file.name, line, complete)
    }
  }

  #line(bytes: Uint8Array, file: string, line: number, complete: boolean): void {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()
    const link = complete ? readLink(text) : undefined
    const time = timeOf(text)
    if (!link) {
      this.#stray(text, complete, { file, line, ...(time ? { time } : {}) })
      return
    }
    if (time !== undefined && (this.#earliest === undefined || time < this.#earliest)) this.#earliest = time
    const found = { ...link, mac: this.#mac(bytes), file, line, ...(time === undefined ? {} : { time }) }
    const record = isChainLine(text) ? readChainRecord(text) : undefined
    const signed = record && this.#signed(record, found)
    this.#chain(link.chain).add(found, bytes, signed)
    if (record) this.#heard(record, link.chain, signed?.genuine === true, found)
  }

  #mac(bytes: Uint8Array | string): string | undefined {
    const { key } = this.#input
    return key && createHmac('sha256', key).update(bytes).digest('hex')
  }

  #chain(id: string): ChainCheck {
    const known = this.#chains.get(id)
    if (known) return known
    const made = new ChainCheck(id, this.#problems, this.#mac(id), this.#recorded.get(id))
    const heard = this.#absent.get(id)
    if (heard) made.witnessed(heard, this.#input.key !== undefined)
    this.#absent.delete(id)
    this.#chains.set(id, made)
    return made
  }

  #signed(record: ChainRecord, at: { chain: string; seq: number; file: string; line: number; time?: string }) {
    const { signed } = record
    if (!signed) return undefined
    if (!this.#publicKey) return { digest: signed.digest, genuine: false }
    const { text, signature } = signed
    const genuine = verify(null, Buffer.from(text), this.#publicKey, Buffer.from(signature, 'base64'))
    if (genuine) this.#checkpoints += 1
    else {
      const { chain, seq, file, line, time } = at
      const place = { chain, seq, file, line, ...(time === undefined ? {} : { time }) }
      this.#problems.add({ kind: 'bad-signature', ...place, text: 'the checkpoint is not signed with the given key' })
    }
    return { digest: signed.digest, genuine }
  }

  #heard(record: ChainRecord, by: string, genuine: boolean, at: { file: string; line: number; time?: string }): void {
    if (record.dropped) {
      const { lines, from, to } = record.dropped
      const place = { chain: by, file: at.file, line: at.line, ...(at.time ? { time: at.time } : {}) }
      this.#problems.add({
        kind: 'dropped',
        ...place,
        text: `the device did not take ${lines} lines between ${from} and ${to}`,
      })
    }
    if (record.device !== undefined) this.#devices.add(record.device)
    const trusted = genuine || this.#input.key !== undefined
    for (const head of record.heads) {
      if (genuine || this.#recorded.has(by)) this.#vouched.add(head.chain)
      const chain = this.#chains.get(head.chain)
      if (chain) chain.witnessed(head, trusted)
      else if (head.seq > (this.#absent.get(head.chain)?.seq ?? 0) && this.#absent.size < maxAbsent) {
        this.#absent.set(head.chain, head)
      }
      if (head.chain === by && head.device !== undefined) this.#devices.add(head.device)
    }
  }

  /** A line that carries no link: cut off, or not ours. */
  #stray(text: string, complete: boolean, at: { file: string; line: number; time?: string }): void {
    if (complete && parseObject(text)) {
      this.#problems.add({ kind: 'foreign', ...at, text: 'the line belongs to no chain' })
    } else this.#problems.add({ kind: 'torn', ...at, text: 'the line was cut off while it was written' })
  }

  finish(): AuditFindings {
    const { heads, partial = false } = this.#input
    let unprovenTail = 0
    for (const [id, chain] of this.#chains) {
      if (heads && !this.#recorded.has(id) && !this.#vouched.has(id)) {
        this.#problems.add({
          kind: 'unknown-chain',
          chain: id,
          text: 'neither storage nor a checkpoint knows of such a chain',
        })
      }
      unprovenTail += chain.finish(partial)
    }
    this.#missing(partial)
    const { list, more, tampered } = this.#problems
    return {
      intact: !tampered,
      lines: this.#lines,
      chains: this.#chains.size,
      checkpoints: this.#checkpoints,
      problems: list,
      more,
      unprovenTail,
    }
  }

  #missing(partial: boolean): void {
    const devices = this.#input.device === undefined ? this.#devices : new Set([this.#input.device])
    const all = new Map([...this.#absent, ...[...this.#recorded].filter(([id]) => !this.#chains.has(id))])
    for (const [chain, { seq, device, time }] of all) {
      if (seq === 0 || (device !== undefined && devices.size > 0 && !devices.has(device))) continue
      if (partial && time !== undefined && (this.#earliest === undefined || time < this.#earliest)) continue
      this.#problems.add({
        kind: 'missing-chain',
        chain,
        text: `no line of this chain is in the files; it had ${seq}${time ? `, the last before ${time}` : ''}`,
      })
    }
  }
}
