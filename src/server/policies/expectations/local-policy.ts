/** Policies in files of this machine, for the command line: it may not know this folder and is handed this object. */
import type { JsonObject } from '../../../lib/json/value.ts'
import { Refusal } from '../../contracts/request.ts'
import { explain } from '../explain/explain.ts'
import { formatPolicy } from '../format/format-policy.ts'
import { parsePolicy } from '../parse-policy.ts'
import { decodePolicy } from '../policy-store.ts'
import { type Expectation, ExpectationError, readExpectations } from './read-expectations.ts'

/** Said to whoever wrote the file. */
export class LocalPolicyProblem extends Error {
  override name = 'LocalPolicyProblem'
}

export interface LocalCheck {
  readonly name: string
  readonly expected: 'allow' | 'deny'
  readonly operation: string
  readonly path: string
  readonly data?: JsonObject
  readonly wrapTtlMs?: number
}

export interface LocalFinding {
  readonly allowed: boolean
  readonly reason: string
  /** The smallest rule that would allow it, if one can. */
  readonly allowWith?: string
}

export const localPolicy = {
  format: (text: string): string => saying(() => formatPolicy(text)),

  readExpectations(text: string) {
    return saying(() => {
      const { policies, identity, checks } = readExpectations(text)
      return { policies, identity, checks: checks.map(checkOf) }
    })
  },

  /** One finding for each check; time stands at `now`. */
  judge(job: {
    readonly policies: readonly { readonly name: string; readonly text: string }[]
    readonly expectations: string
    readonly now: number
  }): LocalFinding[] {
    return saying(() => {
      const policies = job.policies.map(({ name, text }) => named(name, () => parsePolicy(name, decodePolicy(text))))
      const { identity, checks } = readExpectations(job.expectations)
      const context = { now: () => job.now, template: (name: string) => identity.get(name) }
      return checks.map(({ request }) => {
        const { allowed, reason, remedy } = explain(policies, request, context)
        return { allowed, reason, ...(remedy?.kind === 'policy' && { allowWith: remedy.text }) }
      })
    })
  },
}

function checkOf({ name, expected, request }: Expectation): LocalCheck {
  const { operation, path, input, wrapTtlMs } = request
  return {
    name,
    expected,
    operation,
    path,
    ...(input && { data: input }),
    ...(wrapTtlMs !== undefined && { wrapTtlMs }),
  }
}

function named<T>(name: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw error instanceof Refusal ? new LocalPolicyProblem(`${name}: ${error.message}`) : error
  }
}

function saying<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof Refusal || error instanceof ExpectationError) throw new LocalPolicyProblem(error.message)
    throw error
  }
}
