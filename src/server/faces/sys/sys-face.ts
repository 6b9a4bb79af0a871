/** sys/: the server as clients see and change it. */
import type { AuditBroker } from '../../audit/broker/audit-broker.ts'
import type { Mounted } from '../../contracts/mounted.ts'
import { auditRoutes } from './audit/audit.ts'
import type { NodeAudits } from './audit/node-audits.ts'
import { type EventRoutesOptions, eventRoutes } from './events/events.ts'
import { type LeaseRoutesOptions, leaseRoutes } from './leases/leases.ts'
import { type LockoutRoutesOptions, lockoutRoutes } from './lockout/locked-users.ts'
import { type MfaRoutesOptions, mfaRoutes } from './mfa/validate.ts'
import { type InternalMountsOptions, internalMountRoutes } from './mounts/internal-mounts.ts'
import { type MountRoutesOptions, mountRoutes } from './mounts/mounts.ts'
import { type RemountOptions, remountRoutes } from './mounts/remount.ts'
import { type NamespaceRoutesOptions, namespaceRoutes } from './namespaces/namespaces.ts'
import { type HaStatusOptions, haStatusRoute } from './nodes/ha-status.ts'
import { type OperationsOptions, operationsRoutes } from './operations/operations-routes.ts'
import { type PolicyRoutesOptions, policyRoutes } from './policies/policies.ts'
import { type QuotaRoutesOptions, quotaRoutes } from './quotas/quotas.ts'
import { type LifecycleOptions, lifecycleRoutes } from './seal/lifecycle.ts'
import { type SnapshotRoutesOptions, snapshotRoutes } from './snapshots/snapshots.ts'
import { type WrappingRoutesOptions, wrappingRoutes } from './wrapping/wrapping.ts'

export interface SysFaceOptions
  extends LeaseRoutesOptions,
    LifecycleOptions,
    HaStatusOptions,
    QuotaRoutesOptions,
    LockoutRoutesOptions,
    MountRoutesOptions,
    RemountOptions,
    InternalMountsOptions,
    NamespaceRoutesOptions,
    PolicyRoutesOptions,
    SnapshotRoutesOptions,
    WrappingRoutesOptions,
    MfaRoutesOptions,
    OperationsOptions,
    EventRoutesOptions {
  readonly broker: AuditBroker
  /** Where this process is one of several of its node. */
  readonly audits?: NodeAudits
}

export function createSysFace(options: SysFaceOptions): Mounted {
  return {
    routes: [
      ...lifecycleRoutes(options),
      haStatusRoute(options),
      ...mountRoutes(options, 'secret'),
      ...mountRoutes(options, 'auth'),
      ...internalMountRoutes(options),
      ...remountRoutes(options),
      ...namespaceRoutes(options),
      ...policyRoutes(options),
      ...auditRoutes(options.broker, options.audits),
      ...leaseRoutes(options),
      ...quotaRoutes(options),
      ...lockoutRoutes(options),
      ...snapshotRoutes(options),
      ...wrappingRoutes(options),
      ...mfaRoutes(options),
      ...operationsRoutes(options),
      ...eventRoutes(options),
    ],
  }
}
