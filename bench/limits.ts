/** What is measured against: the one place. Ratios are to a bare node:http server that answers the same bytes in the same run. */

/** A figure must not be worse than `fails`; `required` is what issue 6 asks of CI, `aim` what the design asks for. */
export interface Limit {
  readonly fails?: number
  readonly required?: number
  readonly aim?: number
}

/** By request scenario, for one process on LMDB at 32 connections: elsewhere they say nothing. At least. */
export const ratioLimits = {
  'read-string': { fails: 0.14, required: 0.16, aim: 0.2 },
  'read-keys': { fails: 0.12, required: 0.12, aim: 0.15 },
  'write-string': { fails: 0.06, required: 0.09, aim: 0.12 },
  'write-keys': { fails: 0.055, required: 0.09, aim: 0.12 },
  'lookup-self': { fails: 0.22, required: 0.22, aim: 0.3 },
} as const satisfies Readonly<Record<string, Limit>>

/** Undefined: the scenario has none. */
export const ratioLimit = (scenario: string): Limit | undefined => new Map(Object.entries(ratioLimits)).get(scenario)

export const limitsHoldFor = { connections: 32 }

/** RssAnon at the end of requests of at most a kilobyte, in MB, 27 of them Node.js's own program in large pages. Below. */
export const memoryLimit = { fails: 127 } as const satisfies Limit

/** Reads of two workers to those of one. At least. Of two processors the load takes a part of the second. */
export const workersLimit: Limit = { fails: 1, required: 1.6 }
/** The same to what a second process brings a bare server there whose answers take as long. At least. */
export const workersShareLimit: Limit = { fails: 0.65 }

/** A million secrets, beside a thousand. */
export const storedLimits = {
  /** Reads to those with a thousand. At least. */
  reads: { fails: 0.8, required: 0.9 },
  /** MB of RssAnon after reads. Below. */
  memory: { fails: 200, required: 200 },
  /** Milliseconds from the start of the process to the answer to a read, after a clean stop. Below. */
  start: { required: 400 },
  /** The same to a bare node:http server's start. Below. A time alone would say how busy the machine is. */
  startRatio: { fails: 6 },
} as const satisfies Record<string, Limit>

/** Statements that PostgreSQL gets for one read. Below. */
export const queriesLimit: Limit = { fails: 1.05, required: 1.05 }

/** Writes of three nodes to those of one, where neither PostgreSQL nor the machine that all share is the limit. At least. */
export const nodesLimit: Limit = { fails: 1.5, required: 1.5 }

/** Microseconds of PostgreSQL's processors for a KV write that one node does beside it. Below. */
export const postgresWriteLimit: Limit = { fails: 2000, required: 1000 }

/** While large requests are served: of the time, 99% has no more than this. In ms, below. */
export const loopLimits = {
  /** How late the event loop is, as the server measures it. Another's load on the machine counts, and garbage collection. */
  delay: { fails: 60, required: 20 },
  /** Of the main thread's processor in one go, which other load hardly changes. */
  go: { fails: 40, required: 20 },
} as const satisfies Record<string, Limit>
