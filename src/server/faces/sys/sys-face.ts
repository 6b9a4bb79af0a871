/** sys/: the server as clients see and change it. */
import type { AuditBroker } from '../../audit/broker/audit-broker.ts'
import type { Mounted } from '../../contracts/mounted.ts'
import type { LeaseStore } from '../../leases/lease-store.ts'
import { auditRoutes } from './audit-devices.ts'
import { type EventRoutesOptions, eventRoutes } from './events.ts'
import { internalMountRoutes } from './internal-mounts.ts'
import { leaseRoutes } from './leases.ts'
import { type LifecycleOptions, lifecycleRoutes } from './lifecycle.ts'
import { type MountRoutesOptions, mountRoutes } from './mounts.ts'
import { type PolicyRoutesOptions, policyRoutes } from './policies.ts'

export interface SysFaceOptions extends LifecycleOptions, MountRoutesOptions, PolicyRoutesOptions, EventRoutesOptions {
  readonly broker: AuditBroker
  readonly leases: LeaseStore
}

export function createSysFace(options: SysFaceOptions): Mounted {
  return {
    routes: [
      ...lifecycleRoutes(options),
      ...mountRoutes(options, 'secret'),
      ...mountRoutes(options, 'auth'),
      ...internalMountRoutes(options),
      ...policyRoutes(options),
      ...auditRoutes(options.broker),
      ...leaseRoutes(options.leases),
      ...eventRoutes(options),
    ],
  }
}
