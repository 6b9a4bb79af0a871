/** What a verification can find. */
export type ProblemKind =
  | 'altered'
  | 'removed'
  | 'reordered'
  | 'repeated'
  | 'missing-chain'
  | 'unknown-chain'
  | 'foreign'
  | 'bad-signature'
  | 'torn'
  | 'dropped'
  | 'earlier'
  | 'unchecked'

/** Accidents that name themselves, and what the caller said is not there: no tampering. */
const harmless: readonly ProblemKind[] = ['torn', 'dropped', 'earlier', 'unchecked']

export interface AuditProblem {
  readonly kind: ProblemKind
  readonly chain?: string
  readonly seq?: number
  readonly file?: string
  readonly line?: number
  /** Of the line, as it says itself. */
  readonly time?: string
  readonly text: string
}

export interface AuditFindings {
  /** Nothing but torn lines, drops that the chain tells of, and (when that was asked for) older files that are not there. */
  readonly intact: boolean
  readonly lines: number
  readonly chains: number
  /** Signed checkpoints that were checked and are genuine. */
  readonly checkpoints: number
  readonly problems: readonly AuditProblem[]
  /** Problems beyond the first ten thousand. */
  readonly more: number
  /** Lines after the newest head or checkpoint that vouches for them: the end of a file can lose these unnoticed. */
  readonly unprovenTail: number
}

const maxProblems = 10_000

export class Problems {
  readonly list: AuditProblem[] = []
  more = 0
  tampered = false

  add(problem: AuditProblem): void {
    if (!harmless.includes(problem.kind)) this.tampered = true
    if (this.list.length < maxProblems) this.list.push(problem)
    else this.more += 1
  }
}
