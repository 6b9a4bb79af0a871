/** A device as the broker holds it. */
import type { AuditedRequest } from '../../contracts/audit.ts'
import type { AuditMetrics } from './audit-metrics.ts'
import type { DeviceRow } from './audit-rows.ts'
import type { ChainedDevice } from './chain/chained-device.ts'
import type { DeviceTally } from './chain/device-tally.ts'
import type { AuditFilter } from './filter.ts'
import type { LineOptions } from './line/audit-line.ts'
import type { LineHasher } from './line/line-hasher.ts'

export interface DeviceInfo {
  /** With its trailing slash. */
  readonly path: string
  readonly type: string
  readonly description: string
  readonly options: Readonly<Record<string, string>>
  readonly local: boolean
}

/** How a device does, in this process, since it started. */
export interface DeviceStats {
  readonly path: string
  readonly type: string
  readonly state: 'ok' | 'blocked' | 'not open'
  readonly written: number
  /** Lines that the device did not take; in its chain they are told of as soon as it takes lines again. */
  readonly dropped: number
  /** Writes that failed. */
  readonly failures: number
  /** Requests whose lines wait for it now. */
  readonly waiting: number
  readonly lastError?: string
}

export interface Live {
  readonly path: string
  readonly row: DeviceRow
  readonly hasher: LineHasher
  readonly out: ChainedDevice | undefined
  readonly filter: AuditFilter | undefined
  readonly fallback: boolean
  readonly tally: DeviceTally
  readonly timers: ReturnType<AuditMetrics['auditDevice']> | undefined
  line: LineOptions
}

export function statsOf({ path, row, out, tally }: Live): DeviceStats {
  return {
    path,
    type: row.type,
    state: out ? (out.blocked ? 'blocked' : 'ok') : 'not open',
    written: tally.written,
    dropped: tally.dropped,
    failures: tally.failures,
    waiting: out?.waiting ?? 0,
    ...(tally.lastError !== undefined && { lastError: tally.lastError }),
  }
}

export function wants({ filter }: Live, request: AuditedRequest): boolean {
  return filter === undefined || filter(request)
}

export function sameRow(a: DeviceRow, b: DeviceRow): boolean {
  return a.type === b.type && a.salt === b.salt && JSON.stringify(a.options) === JSON.stringify(b.options)
}
