/** What this program can mount, dial and audit to: one line each. */
import { hostname } from 'node:os'
import { systemClock } from '../lib/clock.ts'
import { createOutbound } from '../lib/outbound/outbound.ts'
import { kubernetes } from '../server/auth/kubernetes/kubernetes.ts'
import type { AuditDeviceType } from '../server/contracts/devices.ts'
import type { MountType, Outbound } from '../server/contracts/mounted.ts'
import { kv } from '../server/engines/kv/kv.ts'
import type { Plugin } from '../server/faces/sys/operations/catalog/plugins.ts'
import type { MountTypes } from '../server/mounts/mount.ts'
import { type AuditDeviceOptions, createAuditDevices } from './server/audit-devices.ts'

const types: readonly MountType[] = [kv, kubernetes]

/** Other names that clients may use, with the options they stand for. */
const aliases: Readonly<Record<string, { readonly type: string; readonly options: Readonly<Record<string, string>> }>> =
  {
    'kv-v1': { type: 'kv', options: { version: '1' } },
    'kv-v2': { type: 'kv', options: { version: '2' } },
  }

export const engines: MountTypes = {
  find(name, mountClass) {
    const alias = Object.hasOwn(aliases, name) ? aliases[name] : undefined
    const type = types.find((t) => t.type === (alias?.type ?? name) && t.class === mountClass)
    return type && { type, ...(alias ? { options: alias.options } : {}) }
  },
}

/** For sys/plugins/catalog. */
export const plugins: readonly Plugin[] = types.map((type) => ({
  type: type.class,
  name: type.type,
  version: type.version,
}))

/** File, socket, syslog, http. */
export function auditDevices(
  options: Pick<AuditDeviceOptions, 'directories' | 'stdout'> & Partial<AuditDeviceOptions>,
): Readonly<Record<string, AuditDeviceType>> {
  return createAuditDevices({
    destinations: [],
    declared: () => [],
    clock: systemClock,
    hostname: hostname(),
    pid: process.pid,
    dial: (allow) => createOutbound({ allow }),
    ...options,
  })
}

/** Refuses what is no business of engines (loopback, metadata, `own` listeners, …) but what the configuration allows. */
export function outbound(options: {
  readonly allow: readonly string[]
  readonly own?: () => readonly string[]
}): Outbound {
  return createOutbound(options)
}
