import { createHash, type Hash } from 'node:crypto'
import type { Link, WitnessedHead } from './audit-line.ts'
import type { Problems } from './findings.ts'

/** A line of a chain where it was found. */
export interface FoundLine extends Link {
  /** Of this line; undefined without the chain key. */
  readonly mac: string | undefined
  readonly file: string
  readonly line: number
  readonly time?: string
}

/** Lines of a chain that follow one another without a gap. */
interface Run {
  readonly first: FoundLine
  last: FoundLine
}

const maxRuns = 10_000

/** One chain while files are read: what is kept does not grow with the number of its lines. */
export class ChainCheck {
  readonly id: string
  /** The newest line that a signed checkpoint of the chain covers, the checkpoint itself included. */
  proven = 0
  readonly #problems: Problems
  readonly #start: string | undefined
  readonly #recorded: WitnessedHead | undefined
  readonly #runs: Run[] = []
  /** Of the bytes since the last checkpoint; undefined when a part of them is missing. */
  #digest: Hash | undefined
  #digested = 0
  /** An altered line was named since the last checkpoint. */
  #named = false
  /** The newest line in each file. */
  readonly #newest = new Map<string, number>()
  #witness: WitnessedHead | undefined
  /** The newest line that a line which can be trusted speaks of. */
  #trusted = 0

  constructor(id: string, problems: Problems, start: string | undefined, recorded: WitnessedHead | undefined) {
    this.id = id
    this.#problems = problems
    this.#start = start
    this.#recorded = recorded
    this.#witness = recorded
  }

  get newest(): number {
    return this.#runs.reduce((max, { last }) => Math.max(max, last.seq), 0)
  }

  add(line: FoundLine, bytes: Uint8Array, signed?: { readonly digest: string; readonly genuine: boolean }): void {
    const run = this.#runs.at(-1)
    const follows = run !== undefined && line.seq === run.last.seq + 1
    if (follows) {
      this.#linked(run.last, line)
      run.last = line
    } else this.#newRun(line)
    if (line.seq === 1) this.#restartDigest()
    else if (!follows) this.#digest = undefined
    if (signed?.genuine) this.#checkDigest(line, signed.digest)
    if (signed) this.#restartDigest()
    this.#digest?.update(bytes).update('\n')
    this.#digested += 1
    const newest = this.#newest.get(line.file) ?? 0
    if (line.seq > newest) this.#newest.set(line.file, line.seq)
    const recorded = this.#recorded
    if (recorded?.seq === line.seq && line.mac !== undefined && line.mac !== recorded.mac) {
      this.#altered(line, 'the head that storage recorded vouches for other bytes')
    }
  }

  #newRun(line: FoundLine): void {
    if (line.seq < (this.#newest.get(line.file) ?? 0)) {
      this.#problems.add({ kind: 'reordered', ...placeOf(line), text: 'stands after a later line of its chain' })
    }
    if (this.#runs.length < maxRuns) this.#runs.push({ first: line, last: line })
  }

  #linked(before: FoundLine, line: FoundLine): void {
    if (before.mac !== undefined && line.prev !== before.mac)
      this.#altered(before, 'its successor vouches for other bytes')
  }

  #altered(line: FoundLine, text: string): void {
    this.#named = true
    this.#problems.add({ kind: 'altered', ...placeOf(line), text })
  }

  #restartDigest(): void {
    this.#digest = createHash('sha256')
    this.#digested = 0
    this.#named = false
  }

  #checkDigest(line: FoundLine, digest: string): void {
    if (!this.#digest) {
      if (line.mac !== undefined) return
      const text =
        'the lines before this checkpoint cannot be checked without the chain key: they are not all here in their order'
      this.#problems.add({ kind: 'unchecked', ...placeOf(line), text })
      return
    }
    if (this.#digest.digest('hex') === digest) {
      this.proven = Math.max(this.proven, line.seq)
      return
    }
    // With the key of the chain the very line was named already.
    if (this.#named) return
    const text = `the signed checkpoint vouches for other bytes in the ${this.#digested} lines of the chain before it`
    this.#altered(line, text)
  }

  /** Somebody says that the chain was at least there. */
  witnessed(head: WitnessedHead, trusted: boolean): void {
    if (trusted) this.#trusted = Math.max(this.#trusted, head.seq)
    if (head.seq > (this.#witness?.seq ?? 0)) this.#witness = head
  }

  /** After all files. `partial`: the beginning may be in files that are not given. -> lines that nothing vouches for yet. */
  finish(partial: boolean): number {
    const ordered = [...this.#runs].sort((a, b) => a.first.seq - b.first.seq || a.last.seq - b.last.seq)
    let before: FoundLine | undefined
    for (const { first, last } of ordered) {
      this.#stitch(before, first, last, partial)
      if (!before || last.seq > before.seq) before = last
    }
    const end = before?.seq ?? 0
    const witness = this.#witness
    if (witness && witness.seq > end) this.#gap(end + 1, witness.seq)
    if (before && witness && witness.seq === end && witness !== this.#recorded) this.#compare(before, witness)
    // A head says what the bytes of a line must hash to: who can't hash knows only that there was such a line.
    const byHead = this.#start === undefined ? 0 : Math.max(this.#recorded?.seq ?? 0, this.#trusted)
    return Math.max(0, end - Math.max(this.proven, byHead))
  }

  #compare(line: FoundLine, witness: WitnessedHead): void {
    if (line.mac !== undefined && line.mac !== witness.mac) this.#altered(line, 'another line vouches for other bytes')
  }

  #stitch(before: FoundLine | undefined, first: FoundLine, last: FoundLine, partial: boolean): void {
    const at = before?.seq ?? 0
    if (first.seq <= at) {
      const which = first.seq === last.seq ? `line ${first.seq}` : `lines ${first.seq} to ${last.seq}`
      this.#problems.add({
        kind: 'repeated',
        ...placeOf(first),
        text: `${which} of the chain ${first.seq === last.seq ? 'is' : 'are'} there more than once`,
      })
    } else if (first.seq > at + 1) {
      if (before || !partial) this.#gap(at + 1, first.seq - 1, first)
      else this.#earlier(first)
    } else if (before) this.#linked(before, first)
    else if (this.#start !== undefined && first.prev !== this.#start) {
      this.#altered(first, 'it is not the first line of this chain: its link is wrong')
    }
  }

  #gap(from: number, to: number, next?: FoundLine): void {
    const which = from === to ? `line ${from}` : `lines ${from} to ${to}`
    this.#problems.add({
      kind: 'removed',
      chain: this.id,
      seq: from,
      ...(next ? { file: next.file, line: next.line, ...(next.time ? { time: next.time } : {}) } : {}),
      text: `${which} of the chain missing${next ? ' before this line' : ''}`,
    })
  }

  #earlier(first: FoundLine): void {
    const text = `lines 1 to ${first.seq - 1} of the chain are in older files`
    this.#problems.add({ kind: 'earlier', ...placeOf(first), text })
  }
}

function placeOf({ chain, seq, file, line, time }: FoundLine) {
  return { chain, seq, file, line, ...(time === undefined ? {} : { time }) }
}
