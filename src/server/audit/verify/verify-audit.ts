/** Proves that audit files hold what was written to them, nothing less, nothing else. Pure: files, key and recorded heads in, findings out. */
import { createHmac } from 'node:crypto'
import { type AuditFile, auditLines } from './audit-file.ts'

/** What storage says about a chain (the newest head that was recorded). */
export interface RecordedHead {
  readonly chain: string
  readonly seq: number
  /** Hex HMAC of line `seq`. */
  readonly mac: string
  readonly closed: boolean
  readonly device?: string
}

export interface AuditProblem {
  readonly kind:
    | 'altered'
    | 'removed'
    | 'reordered'
    | 'repeated'
    | 'missing-chain'
    | 'unknown-chain'
    | 'foreign'
    /** A write that was cut off (full disk, killed process): an accident that names itself, no tampering. */
    | 'torn'
  readonly chain?: string
  readonly seq?: number
  readonly file?: string
  readonly line?: number
  readonly text: string
}

export interface AuditFindings {
  /** No problem but torn lines. */
  readonly intact: boolean
  readonly lines: number
  readonly chains: number
  readonly problems: readonly AuditProblem[]
  /** Lines after the newest recorded head: the end of a file can lose these unnoticed. */
  readonly unprovenTail: number
}

interface Line {
  readonly seq: number
  readonly prev: string
  readonly mac: string
  readonly file: string
  readonly line: number
}
interface Link {
  readonly chain: string
  readonly seq: number
  readonly prev: string
}

/** `files` in any order, rotated ones included. Heads in chain lines of the files count besides `heads`. */
export async function verifyAudit(input: {
  readonly files: readonly AuditFile[]
  readonly key: Uint8Array
  readonly heads: readonly RecordedHead[]
}): Promise<AuditFindings> {
  const mac = (bytes: Uint8Array) => createHmac('sha256', input.key).update(bytes).digest('hex')
  const chains = new Map<string, Line[]>()
  const problems: AuditProblem[] = []
  const witnessed: RecordedHead[] = []
  let lines = 0
  for (const file of input.files) {
    const newest = new Map<string, number>()
    for await (const { bytes, line, complete } of auditLines(file)) {
      lines += 1
      const text = Buffer.from(bytes).toString()
      const link = complete ? readLink(text) : undefined
      if (!link) {
        problems.push(strayLine(text, complete, { file: file.name, line }))
        continue
      }
      if (link.seq < (newest.get(link.chain) ?? 0)) {
        problems.push({
          kind: 'reordered',
          ...place(link, file.name, line),
          text: 'stands after a later line of its chain',
        })
      }
      newest.set(link.chain, Math.max(link.seq, newest.get(link.chain) ?? 0))
      witnessed.push(...readHeads(text))
      const known = chains.get(link.chain) ?? []
      known.push({ seq: link.seq, prev: link.prev, mac: mac(bytes), file: file.name, line })
      chains.set(link.chain, known)
    }
  }
  const recorded = new Map(input.heads.map((head) => [head.chain, head]))
  let unprovenTail = 0
  for (const [chain, found] of chains) {
    const head = recorded.get(chain)
    if (!head) problems.push({ kind: 'unknown-chain', chain, text: 'storage knows of no such chain' })
    problems.push(
      ...checkChain(chain, found, mac(Buffer.from(chain)), [head, ...witnessed.filter((w) => w.chain === chain)]),
    )
    unprovenTail += head ? found.filter((line) => line.seq > head.seq).length : 0
  }
  problems.push(...missingChains([...input.heads, ...witnessed], chains))
  return { intact: problems.every((p) => p.kind === 'torn'), lines, chains: chains.size, problems, unprovenTail }
}

function place(link: Link, file: string, line: number) {
  return { chain: link.chain, seq: link.seq, file, line }
}

/** A line that carries no link: cut off, or not ours. */
function strayLine(text: string, complete: boolean, at: { file: string; line: number }): AuditProblem {
  return complete && isJson(text.slice(text.indexOf('{')))
    ? { kind: 'foreign', ...at, text: 'the line belongs to no chain' }
    : { kind: 'torn', ...at, text: 'the line was cut off while it was written' }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** The link is at the end of a line, after everything that clients can influence. */
function readLink(text: string): Link | undefined {
  const match = /,"chain":"([0-9a-f-]{36})","seq":([1-9]\d{0,15}),"prev":"([0-9a-f]{64})"\}$/.exec(text)
  const [, chain = '', seq = '', prev = ''] = match ?? []
  return match ? { chain, seq: Number(seq), prev } : undefined
}

function readHeads(text: string): RecordedHead[] {
  const match =
    /"type":"chain","event":"[a-z]+","heads":(\{.*\}),"chain":"[0-9a-f-]{36}","seq":\d+,"prev":"[0-9a-f]{64}"\}$/.exec(
      text,
    )
  if (!match) return []
  try {
    const heads: unknown = JSON.parse(match[1] ?? '')
    return Object.entries(heads ?? {}).map(([chain, head]) => ({
      chain,
      seq: Number(head?.seq),
      mac: String(head?.mac),
      closed: false,
    }))
  } catch {
    // An altered line: its own chain says so.
    return []
  }
}

function checkChain(
  chain: string,
  lines: readonly Line[],
  start: string,
  heads: readonly (RecordedHead | undefined)[],
): AuditProblem[] {
  const problems: AuditProblem[] = []
  const ordered = [...lines].sort((a, b) => a.seq - b.seq)
  let before: Pick<Line, 'seq' | 'mac'> & Partial<Line> = { seq: 0, mac: start }
  for (const line of ordered) {
    const at = { chain, seq: line.seq, file: line.file, line: line.line }
    if (line.seq === before.seq) {
      problems.push({ kind: 'repeated', ...at, text: `line ${line.seq} of the chain is there more than once` })
      continue
    }
    if (line.seq > before.seq + 1) problems.push(gap(chain, before.seq + 1, line.seq - 1))
    else if (line.prev !== before.mac) {
      problems.push({
        kind: 'altered',
        ...at,
        chain,
        seq: before.seq,
        file: before.file,
        line: before.line,
        text: 'its successor vouches for other bytes',
      })
    }
    before = line
  }
  const newest = heads.reduce((max, head) => Math.max(max, head?.seq ?? 0), 0)
  if (newest > before.seq) problems.push(gap(chain, before.seq + 1, newest))
  for (const head of heads) {
    const line = head && ordered.find((l) => l.seq === head.seq)
    if (line && line.mac !== head.mac) {
      const { seq, file, line: number } = line
      problems.push({
        kind: 'altered',
        chain,
        seq,
        file,
        line: number,
        text: 'the recorded head vouches for other bytes',
      })
    }
  }
  return unique(problems)
}

function gap(chain: string, from: number, to: number): AuditProblem {
  const which = from === to ? `line ${from}` : `lines ${from} to ${to}`
  return { kind: 'removed', chain, seq: from, text: `${which} of the chain missing` }
}

/** The same line may be vouched for by its successor and by several heads. */
function unique(problems: readonly AuditProblem[]): AuditProblem[] {
  return [...new Map(problems.map((p) => [`${p.kind} ${p.seq} ${p.line}`, p])).values()]
}

function missingChains(heads: readonly RecordedHead[], chains: ReadonlyMap<string, unknown>): AuditProblem[] {
  const missing = heads.filter((head) => head.seq > 0 && !chains.has(head.chain)).map((head) => head.chain)
  return [...new Set(missing)].map((chain) => ({
    kind: 'missing-chain',
    chain,
    text: 'no line of this chain is in the files',
  }))
}
