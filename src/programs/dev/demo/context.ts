import type { Clock } from '../../../lib/clock.ts'
import type { VaultClient } from '../../../sdk/client.ts'
import type { DevCluster } from '../cluster/dev-cluster.ts'
import type { Environment } from '../environment.ts'
import type { DevServer } from '../server.ts'
import type { Terminal } from '../terminal.ts'

/** What the steps of the demo work with: the same clients that a user has. */
export interface DemoContext {
  readonly terminal: Terminal
  readonly clock: Clock
  readonly environment: Environment
  readonly server: DevServer
  readonly vault: VaultClient
  readonly cluster: DevCluster
  /** A shell file that sets VAULT_ADDR, VAULT_CACERT, VAULT_TOKEN and KUBECONFIG. */
  readonly envFile: string
  /** How to call this program from where the user is. */
  readonly command: string
  /** Makes a value that nobody has seen before. */
  newPassword(): string
  readonly stop: AbortSignal
}

export interface DemoStep {
  readonly title: string
  run(context: DemoContext): Promise<void>
}

/** A step that did not get what it waited for; `part` is the process whose log says more. */
export class StepFailed extends Error {
  override name = 'StepFailed'
  readonly part: string

  constructor(part: string, message: string) {
    super(message)
    this.part = part
  }
}

/**
 * Asks every 10 ms until `probe` answers. A StepFailed of the probe is no end: a log that can't be had now may be there in a moment.
 * The one that is thrown in the end names what was awaited and what was last seen.
 */
export async function until<T>(
  context: Pick<DemoContext, 'clock' | 'stop'>,
  wanted: { readonly what: string; readonly part: string; readonly withinMs?: number },
  probe: () => Promise<T | undefined>,
): Promise<T> {
  const deadline = context.clock.monotonic() + (wanted.withinMs ?? 20_000)
  for (;;) {
    let last = ''
    const found = await probe().catch((error: unknown) => {
      if (!(error instanceof StepFailed)) throw error
      last = `; ${error.message}`
      return undefined
    })
    if (found !== undefined) return found
    if (context.clock.monotonic() > deadline)
      throw new StepFailed(
        wanted.part,
        `${wanted.what}: not seen within ${(wanted.withinMs ?? 20_000) / 1000} s${last}`,
      )
    await context.clock.sleep(10, context.stop)
  }
}
