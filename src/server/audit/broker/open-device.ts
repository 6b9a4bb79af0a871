import type { Clock } from '../../../lib/clock.ts'
import type { AuditDevice, AuditDeviceType } from '../../contracts/devices.ts'
import { Refusal } from '../../contracts/request.ts'

/** A disk or a collector that does not answer must not hold up those that do, nor an unsealing. Refusal 400 at the deadline. */
export async function openDevice(given: {
  readonly clock: Clock
  readonly deadlineMs: number
  readonly type: AuditDeviceType
  readonly options: Readonly<Record<string, string>>
}): Promise<AuditDevice> {
  const { clock, deadlineMs, type, options } = given
  const enough = new AbortController()
  const late = clock.sleep(deadlineMs, enough.signal).then(() => {
    throw new Refusal(400, `the audit device could not be opened within ${deadlineMs} ms: nothing answers there`)
  })
  const opening = type.open(options)
  try {
    return await Promise.race([opening, late])
  } catch (error) {
    // It may still come.
    opening.then((device) => device.close()).catch(() => {})
    throw error
  } finally {
    enough.abort()
    late.catch(() => {})
  }
}
