import type { Clock } from '../../../lib/clock.ts'
import type { Logger } from '../../../lib/log.ts'
import type { Seal } from '../../contracts/devices.ts'

/** As often as Vault asks. */
const wellMs = 600_000
const awayMs = 60_000

/**
 * Asks the seal now and then whether it still works, so that people hear of a lost key before the next start does. Ends with
 * `signal`, and does not keep a process alive that did not get as far as to serve.
 */
export function watchSeal(options: {
  readonly seal: Pick<Seal, 'type' | 'check'>
  readonly clock: Clock
  readonly log: Logger
  readonly signal: AbortSignal
}): void {
  const { seal, clock, log, signal } = options
  let away = false
  let cancel = () => {}
  const look = async () => {
    try {
      await seal.check()
      if (away) log.info('the seal works again', { type: seal.type })
      away = false
    } catch (error) {
      if (!away && !signal.aborted) {
        log.error('the seal does not work: what is unsealed stays so, but a restart would not unseal', {
          type: seal.type,
          error: String(error),
        })
      }
      away = true
    }
    again()
  }
  const again = () => {
    if (!signal.aborted) cancel = clock.after(away ? awayMs : wellMs, () => void look())
  }
  signal.addEventListener('abort', () => cancel(), { once: true })
  again()
}
