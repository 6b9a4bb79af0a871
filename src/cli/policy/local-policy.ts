import type { JsonObject } from '../../lib/json/value.ts'
import type { CliContext } from '../command.ts'
import { Failure } from '../command.ts'

/** What can be done with policies in files, without a server. Its errors are meant for whoever wrote the file. */
export interface LocalPolicy {
  format(text: string): string
  readExpectations(text: string): LocalExpectations
  /** One finding for each check. `now`: wall clock, ms. */
  judge(job: {
    readonly policies: readonly NamedPolicy[]
    readonly expectations: string
    readonly now: number
  }): readonly Finding[]
}

export interface NamedPolicy {
  readonly name: string
  readonly text: string
}

export interface LocalExpectations {
  readonly policies: readonly string[]
  readonly identity: ReadonlyMap<string, string>
  readonly checks: readonly Check[]
}

export interface Check {
  readonly name: string
  readonly expected: 'allow' | 'deny'
  readonly operation: string
  readonly path: string
  readonly data?: JsonObject
  readonly wrapTtlMs?: number
}

export interface Finding {
  readonly allowed: boolean
  readonly reason: string
  readonly allowWith?: string
}

export function localPolicyOf({ localPolicy }: CliContext): Promise<LocalPolicy> {
  if (!localPolicy) throw new Failure(1, 'this program cannot read policy files')
  return localPolicy()
}

/** Local work that fails is wrong use: the file must be another. */
export function locally<T>(what: string, work: () => T): T {
  try {
    return work()
  } catch (cause) {
    throw new Failure(1, `${what}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}
