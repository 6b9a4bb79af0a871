import type { Json, JsonObject } from '../../lib/json/value.ts'
import { isObject } from '../../sdk/envelope.ts'
import type { CommandCall } from '../command.ts'
import { goValue } from './go-value.ts'
import { line, printDocument } from './secret.ts'
import { tableOf } from './table.ts'

/** Seal status, with the leader's document when there is one. -> exit status: 0, or 2 when sealed. */
export function printSealStatus(call: CommandCall, status: JsonObject, leader: JsonObject = {}): number {
  if (call.session.format() === 'table') line(call, tableOf([['Key', 'Value'], ...rowsOf(status, leader)]))
  else printDocument(call, { ...leader, ...status })
  return status['sealed'] === true ? 2 : 0
}

export const documentOf = (value: Json | undefined): JsonObject => (isObject(value) ? value : {})

function rowsOf(status: JsonObject, leader: JsonObject): string[][] {
  const recovery = status['recovery_seal'] === true
  const rows: [string, Json | undefined][] = [
    [recovery ? 'Recovery Seal Type' : 'Seal Type', status['recovery_seal_type'] ?? status['type']],
    ['Initialized', status['initialized']],
    ['Sealed', status['sealed']],
    [recovery ? 'Total Recovery Shares' : 'Total Shares', status['n']],
    ['Threshold', status['t']],
  ]
  if (status['sealed'] === true) {
    rows.push(['Unseal Progress', `${goValue(status['progress'])}/${goValue(status['t'])}`])
    rows.push(['Unseal Nonce', status['nonce']])
  }
  if (status['migration'] === true) rows.push(['Seal Migration in Progress', true])
  rows.push(['Version', status['version']])
  if (status['coffer_version'] !== undefined) rows.push(['Coffer Version', status['coffer_version']])
  rows.push(['Build Date', status['build_date']], ['Storage Type', status['storage_type']])
  if (status['cluster_name']) rows.push(['Cluster Name', status['cluster_name']])
  if (status['cluster_id']) rows.push(['Cluster ID', status['cluster_id']])
  return [...rows, ...leaderRows(leader)].map(([key, value]) => [key, value === undefined ? '' : goValue(value)])
}

function leaderRows(leader: JsonObject): [string, Json | undefined][] {
  const enabled = leader['ha_enabled'] === true
  const rows: [string, Json | undefined][] = [['HA Enabled', enabled]]
  if (!enabled) return rows
  rows.push(['HA Cluster', leader['leader_cluster_address']])
  rows.push(['HA Mode', leader['is_self'] === true ? 'active' : 'standby'])
  if (leader['is_self'] !== true) rows.push(['Active Node Address', leader['leader_address']])
  return rows
}
