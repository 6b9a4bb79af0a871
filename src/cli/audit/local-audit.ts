/** Audit files are a subject of the server (src/server/audit/verify); programs/cli.ts passes what the commands need of it. */
export interface LocalAudit {
  /** Rejects when a file can't be read. */
  verify(job: VerifyJob): Promise<VerifyResult>
  query(files: readonly string[], query: QueryTerms, progress?: Progress): AsyncIterable<QueryMatch>
}

export type Progress = (lines: number, file: string) => void

export interface VerifyJob {
  readonly files: readonly string[]
  readonly key?: Uint8Array
  readonly publicKey?: string
  readonly heads?: readonly RecordedHead[]
  readonly device?: string
  readonly partial?: boolean
  readonly progress?: Progress
}

export interface RecordedHead {
  readonly chain: string
  readonly seq: number
  readonly mac: string
  readonly time?: string
  readonly device?: string
  readonly closed: boolean
}

export interface VerifyResult {
  readonly intact: boolean
  readonly lines: number
  readonly chains: number
  readonly checkpoints: number
  readonly problems: readonly VerifyProblem[]
  readonly more: number
  readonly unprovenTail: number
}

export interface VerifyProblem {
  readonly kind: string
  readonly chain?: string
  readonly seq?: number
  readonly file?: string
  readonly line?: number
  readonly time?: string
  readonly text: string
}

export interface QueryTerms {
  readonly type?: 'request' | 'response'
  readonly entity?: string
  readonly displayName?: string
  readonly path?: string
  readonly operation?: string
  readonly since?: number
  readonly until?: number
  readonly requestId?: string
  readonly clientAddress?: string
  readonly namespace?: string
  readonly denied?: boolean
  readonly revocations?: boolean
  readonly hashes?: readonly string[]
}

export interface QueryMatch {
  readonly file: string
  readonly line: number
  readonly text: string
  readonly time: string
  readonly requestId: string
  readonly operation: string
  readonly path: string
  readonly displayName: string
  readonly entity: string
  readonly clientAddress: string
  readonly error: string
}
