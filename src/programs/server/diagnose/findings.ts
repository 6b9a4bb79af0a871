import { worst } from '../../../cli/operator/server-config/findings.ts'
import type { Finding } from '../../../cli/operator/server-config/local-server.ts'

/** What one check says of itself; throwing is a failure. */
export interface Outcome {
  readonly message?: string
  readonly warnings?: readonly string[]
  readonly advice?: string
  readonly skipped?: boolean
}

/** A check by its name: its outcome, or that it failed and why. */
export async function check(name: string, run: () => Outcome | Promise<Outcome>, advice?: string): Promise<Finding> {
  try {
    const { skipped, warnings = [], ...said } = await run()
    return { name, status: skipped ? 'skipped' : warnings.length > 0 ? 'warn' : 'ok', warnings, ...said }
  } catch (error) {
    return { name, status: 'error', message: reasonOf(error), ...(advice === undefined ? {} : { advice }) }
  }
}

/** A heading over its parts, as bad as the worst of them. */
export const together = (name: string, children: readonly Finding[]): Finding => ({
  name,
  status: worst(children),
  children,
})

/** With what is behind it: whoever diagnoses may see files and system errors. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  // A configuration error has its cause's words already.
  const more = error.cause instanceof Error ? error.cause.message : ''
  return more === '' || error.message.includes(more) ? error.message : `${error.message}: ${more}`
}
