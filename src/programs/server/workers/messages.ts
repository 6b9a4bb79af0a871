/**
 * What the processes of one node say to each other, all of it: the primary, which listens to nobody outside; its workers, which
 * serve; its housekeeper, which serves nobody and leads. Both ends are the same build, so bodies are trusted by their types.
 */
import type { LogLine } from '../../../lib/hclog-line.ts'
import type { JsonObject } from '../../../lib/json/value.ts'
import type { Change } from '../../../server/contracts/storage.ts'
import type { DeviceStats } from '../../../server/faces/sys/audit/node-audits.ts'
import type { InitRequest, InitResult } from '../../../server/faces/sys/seal/seal-control.ts'
import type { Denial } from '../../../server/policies/explain/denials.ts'
import type { RateLimit } from '../../../server/quotas/quota-row.ts'
import type { Taken } from '../../../server/quotas/rate-limiter.ts'
import type { LogLevel } from '../../../server/telemetry/log-control.ts'
import type { ConfigurationText, ServerConfig } from '../configuration.ts'
import type { SeriesImage } from './series-image.ts'

export type Role = 'worker' | 'housekeeper'

/** What a process is told when it begins. */
export interface SeatFacts {
  readonly role: Role
  /** 0 is the housekeeper. */
  readonly number: number
  /** The configuration as the primary read it: a worker that starts anew must not meet files that were edited since. */
  readonly texts: readonly ConfigurationText[]
  /** What was read again since (SIGHUP). */
  readonly readAgain: Pick<ServerConfig, 'logLevel' | 'audit'> | undefined
  /** Another process of this node has the storage open: it was checked, and must not be checked while it is written to. */
  readonly storageChecked: boolean
  /** The node was sealed by request: a housekeeper that starts anew does not open it by itself. */
  readonly staySealed: boolean
  /** What was done to the levels of loggers since they were as configured. */
  readonly levels: readonly LevelChange[]
  /** Somebody follows the log from this level on. */
  readonly tapped: LogLevel | undefined
}

/** `level` undefined: as configured. `name` undefined: all. */
export interface LevelChange {
  readonly level: LogLevel | undefined
  readonly name: string | undefined
}

/** `opening` counts them: who was asleep must not seal what was opened again since. */
export interface Opening {
  readonly rootKey: Uint8Array
  readonly opening: number
}

export interface RateAsk {
  readonly quota: RateLimit
  readonly address: string
}

/** Each name: what is asked, what is answered. Of a worker or the housekeeper to the primary. */
export interface ToPrimary {
  readonly seat: readonly [null, SeatFacts]
  readonly storageOpen: readonly [null, null]
  /** The root key, if the node is open. Asked after `storageOpen`; from then on `open` may come. */
  readonly rootKey: readonly [null, Opening | undefined]
  /** This process serves (`addresses`), or, the housekeeper, has done what a server does before it serves. */
  readonly ready: readonly [{ readonly addresses: readonly string[] }, null]
  /** This process was opened by people or by the seal: answered when all others are open, too. */
  readonly opened: readonly [{ readonly rootKey: Uint8Array }, { readonly opening: number }]
  /** The root key has been changed. */
  readonly rooted: readonly [{ readonly rootKey: Uint8Array }, null]
  /** The root key opens the storage no more. */
  readonly rootKeyWrong: readonly [null, null]
  /** The keys are to be forgotten everywhere: answered when nobody begins a request any more. */
  readonly sealed: readonly [{ readonly opening: number }, null]
  /** For the housekeeper. */
  readonly initialise: readonly [InitRequest, InitResult]
  readonly unseal: readonly [{ readonly share: Uint8Array; readonly migrate: boolean }, null]
  readonly resetUnseal: readonly [null, null]
  readonly unsealProgress: readonly [null, { readonly progress: number; readonly nonce: string }]
  readonly stepDown: readonly [null, null]
  /** In the order of the questions. */
  readonly take: readonly [readonly RateAsk[], readonly Taken[]]
  /** Of all processes together. */
  readonly metrics: readonly [null, readonly SeriesImage[]]
  readonly requests: readonly [{ readonly namespaceId: string }, JsonObject]
  readonly denial: readonly [{ readonly requestId: string }, Denial | undefined]
  /** Of each process. */
  readonly auditStats: readonly [null, readonly (readonly DeviceStats[])[]]
  readonly checkpoint: readonly [null, null]
  readonly reload: readonly [{ readonly part: string }, null]
  readonly level: readonly [LevelChange, null]
  readonly tap: readonly [LogLevel | undefined, null]
  /** Whole lines of an audit device, to standard output. */
  readonly stdout: readonly [Uint8Array, null]
  /** Keys of commits. */
  readonly changed: readonly [readonly string[], null]
  readonly line: readonly [LogLine, null]
}

/** Of the primary to a worker or the housekeeper. */
export interface ToMember {
  readonly open: readonly [Opening, null]
  readonly close: readonly [null, null]
  readonly stop: readonly [null, null]
  readonly initialise: ToPrimary['initialise']
  readonly unseal: ToPrimary['unseal']
  readonly resetUnseal: ToPrimary['resetUnseal']
  readonly unsealProgress: ToPrimary['unsealProgress']
  readonly stepDown: ToPrimary['stepDown']
  readonly metrics: readonly [null, readonly SeriesImage[]]
  readonly requests: readonly [{ readonly namespaceId: string }, JsonObject]
  readonly denial: readonly [{ readonly requestId: string }, Denial | undefined]
  readonly auditStats: readonly [null, readonly DeviceStats[]]
  readonly checkpoint: readonly [null, null]
  readonly reload: readonly [{ readonly part: string | undefined }, null]
  readonly level: readonly [LevelChange, null]
  readonly tapped: readonly [LogLevel | undefined, null]
  readonly changed: readonly [Change, null]
  readonly line: readonly [LogLine, null]
}
