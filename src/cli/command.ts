import type { Readable, Writable } from 'node:stream'
import type { Clock } from '../lib/clock.ts'
import type { ConnectSocket } from '../sdk/events.ts'
import type { NodeTransportOptions } from '../sdk/node-transport.ts'
import type { Transport } from '../sdk/transport.ts'
import type { LocalAudit } from './audit/local-audit.ts'
import type { FlagSpecs, Flags } from './flags.ts'
import type { LocalServer } from './operator/server-config/local-server.ts'
import type { LocalSnapshot } from './operator/snapshot/local-snapshot.ts'
import type { LocalStorage } from './operator/storage/local-storage.ts'
import type { LocalPolicy } from './policy/local-policy.ts'
import type { Session } from './session.ts'

/** What a command may touch; programs/cli.ts passes the real ones, tests their own. */
export interface CliContext {
  /** The name it was called by: usage and hints say it. */
  readonly name: 'coffer' | 'vault'
  readonly version: string
  readonly stdin: Readable
  readonly stdout: Writable
  readonly stderr: Writable
  readonly env: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  readonly signal: AbortSignal
  /** False: never ask on the terminal, whatever stdin is (-non-interactive). */
  readonly interactive?: boolean
  openTransport(options: NodeTransportOptions): Transport
  /** For events; the package behind it is loaded when used. */
  openSocket?(options: NodeTransportOptions): ConnectSocket
  /** For commands about audit files of this machine; loaded when used. */
  localAudit?(): Promise<LocalAudit>
  /** For commands about policies in files; loaded when used. */
  localPolicy?(): Promise<LocalPolicy>
  /** For commands about snapshot files of this machine; loaded when used. */
  localSnapshot?(): Promise<LocalSnapshot>
  /** For commands about the configuration of a server on this machine; loaded when used. */
  localServer?(): Promise<LocalServer>
  /** For commands about storages that this machine can open, with no server; loaded when used. */
  localStorage?(): Promise<LocalStorage>
}

export interface Command {
  /** "kv get" */
  readonly name: string
  /** One line, shown in lists. */
  readonly summary: string
  /** What follows the name: "[options] PATH". */
  readonly args: string
  /** A paragraph under the usage; may be absent when the summary says it all. */
  readonly about?: string
  readonly examples: readonly Example[]
  readonly flags: FlagSpecs
  /** It can print the answer as it came (-format=raw). */
  readonly raw?: boolean
  /** How many positional arguments. */
  readonly takes: { readonly min: number; readonly max?: number }
  /** -> exit status: 0, 1 (wrong use, local trouble) or 2 (the server said no or was not there). */
  run(call: CommandCall): Promise<number>
}

export interface Example {
  readonly says: string
  /** Without the program's name, which is put before it. */
  readonly run: string
}

export interface CommandCall {
  readonly args: readonly string[]
  readonly flags: Flags
  readonly session: Session
  readonly context: CliContext
}

/** Ends the command: its message on stderr, its status as the exit status. */
export class Failure extends Error {
  override name = 'Failure'
  readonly status: number

  constructor(status: number, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.status = status
  }
}

/** What a rejected call to the server says, behind the command's own words, if any ("Error reading secret/x"). */
export async function failing<T>(what: string, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (cause) {
    if (cause instanceof Failure) throw cause
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new Failure(2, what === '' ? why : `${what}: ${why}`, { cause })
  }
}
