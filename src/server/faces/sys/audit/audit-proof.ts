/** sys/coffer/audit: how the devices do, and what proves their files. Coffer's own. */
import type { JsonObject } from '../../../../lib/json/value.ts'
import type { AuditBroker } from '../../../audit/broker/audit-broker.ts'
import { operation, type Route } from '../../../contracts/request.ts'
import { type NodeAudits, nodeStats } from './node-audits.ts'

export function auditProofRoutes(broker: AuditBroker, audits: NodeAudits): Route[] {
  const status = operation({
    input: {},
    access: 'sudo',
    namespaces: 'root',
    handle: async () => {
      const stats = nodeStats(broker.stats(), await audits.stats())
      const devices: JsonObject = Object.fromEntries(
        stats.map(({ path, lastError, ...stats }) => [
          path,
          {
            type: stats.type,
            state: stats.state,
            lines_written: stats.written,
            lines_dropped: stats.dropped,
            failed_writes: stats.failures,
            waiting: stats.waiting,
            last_error: lastError ?? '',
          },
        ]),
      )
      return { kind: 'data', data: { devices } }
    },
  })
  const evidence = operation({
    input: {},
    access: 'sudo',
    namespaces: 'root',
    handle: async () => {
      const found = await broker.evidence()
      const chains = (found?.heads ?? []).map(({ chain, device, node, openedAt, at, seq, mac, closed }) => ({
        chain,
        device,
        node,
        opened: new Date(openedAt).toISOString(),
        recorded: new Date(at).toISOString(),
        seq,
        mac,
        closed,
      }))
      const key = found ? Buffer.from(found.key).toString('base64') : ''
      return { kind: 'data', data: { public_key: found?.publicKey ?? '', chain_key: key, chains } }
    },
  })
  const checkpoint = operation({
    input: {},
    access: 'sudo',
    namespaces: 'root',
    handle: async () => {
      await audits.checkpoint()
      return { kind: 'none' }
    },
  })
  return [
    { path: 'coffer/audit', summary: 'How the audit devices do on the node that answers.', on: { read: status } },
    {
      path: 'coffer/audit/evidence',
      summary: 'What proves audit files: the recorded heads of their chains and the keys that vouch for them.',
      on: { read: evidence },
    },
    {
      path: 'coffer/audit/checkpoint',
      summary: 'Writes a signed checkpoint to each audit device of the node that answers.',
      on: { update: checkpoint },
    },
  ]
}
