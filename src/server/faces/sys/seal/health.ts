/** sys/health: by status code, for everyone. */
import type { Fields, InputOf } from '../../../contracts/fields.ts'
import { type Call, operation, Refusal, type Reply, type Route } from '../../../contracts/request.ts'
import type { SealControl } from './seal-control.ts'

export interface HealthOptions {
  readonly seal: SealControl
  readonly version: string
  readonly cofferVersion: string
  readonly stopping: () => boolean
}

const healthFields = {
  standbyok: { kind: 'string', description: 'Standby counts as well' },
  perfstandbyok: { kind: 'string', description: 'Performance standby counts as well' },
  activecode: { kind: 'string', description: 'Status when active' },
  standbycode: { kind: 'string', description: 'Status when standby' },
  drsecondarycode: { kind: 'string', description: 'Status of a DR secondary' },
  performancestandbycode: { kind: 'string', description: 'Status of a performance standby' },
  sealedcode: { kind: 'string', description: 'Status when sealed' },
  uninitcode: { kind: 'string', description: 'Status before initialisation' },
} as const satisfies Fields

export function healthRoute(options: HealthOptions): Route {
  const health = operation({
    access: 'public',
    sealed: 'allowed',
    input: healthFields,
    handle: (call) => healthReply(options, call),
  })
  return { path: 'health', summary: 'Health, by status code.', on: { read: health, head: health } }
}

async function healthReply(options: HealthOptions, call: Call<InputOf<typeof healthFields>>): Promise<Reply> {
  const { input } = call
  const status = await options.seal.status()
  const stopping = options.stopping()
  const replication = status.sealed ? 'unknown' : 'disabled'
  const codes = {
    active: code(input.activecode, 200),
    sealed: code(input.sealedcode, 503),
    uninit: code(input.uninitcode, 501),
  }
  // The other codes can't occur here, but a wrong one is still a mistake of the caller.
  for (const other of [input.standbycode, input.drsecondarycode, input.performancestandbycode]) code(other, 0)
  return {
    kind: 'document',
    status: stopping ? 503 : !status.initialised ? codes.uninit : status.sealed ? codes.sealed : codes.active,
    body: {
      initialized: status.initialised,
      sealed: status.sealed,
      standby: status.sealed,
      performance_standby: false,
      replication_performance_mode: replication,
      replication_dr_mode: replication,
      server_time_utc: Math.floor(call.now / 1000),
      version: options.version,
      enterprise: false,
      ...(status.cluster ? { cluster_name: status.cluster.name, cluster_id: status.cluster.id } : {}),
      echo_duration_ms: 0,
      clock_skew_ms: 0,
      coffer_version: options.cofferVersion,
      ...(stopping ? { stopping: true } : {}),
    },
  }
}

function code(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < 200 || value > 599) throw new Refusal(400, [])
  return value
}
