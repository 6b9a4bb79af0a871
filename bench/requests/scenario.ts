/** One kind of request, measured beside a bare server that answers the same bytes. */
import type { Shot } from '../load.ts'
import type { BareAnswers } from '../server/bare.ts'
import type { Coffer } from '../server/coffer.ts'

export interface Prepared {
  readonly shots: readonly Shot[]
  /** As our server answers each. */
  readonly answers: BareAnswers
  /** Stops what was started for it. */
  close?(): Promise<void>
}

export interface Prepare {
  readonly coffer: Coffer
  readonly rootToken: string
  /** What the requests come with. */
  readonly token: string
  readonly folder: string
}

export interface Scenario {
  readonly name: string
  readonly title: string
  /** Whether the limit of memory holds: not for bodies of 100 KB. */
  readonly small: boolean
  /** CI measures it each time. */
  readonly ci?: true
  /** Stanzas that the server needs. */
  readonly stanzas?: string
  prepare(given: Prepare): Promise<Prepared>
}
