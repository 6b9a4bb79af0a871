/** What concerns audit below sys/. */
import type { AuditBroker } from '../../../audit/broker/audit-broker.ts'
import type { Route } from '../../../contracts/request.ts'
import { auditDeviceRoutes } from './audit-devices.ts'
import { auditProofRoutes } from './audit-proof.ts'
import { auditedHeaderRoutes } from './audited-headers.ts'
import { type NodeAudits, ownAudits } from './node-audits.ts'

export function auditRoutes(broker: AuditBroker, audits: NodeAudits = ownAudits(broker)): Route[] {
  return [...auditDeviceRoutes(broker), ...auditedHeaderRoutes(broker), ...auditProofRoutes(broker, audits)]
}
