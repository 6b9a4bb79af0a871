import type { JsonObject } from '../../../lib/json/value.ts'
import type { ServerConfig } from '../configuration.ts'
import type { SnapshotsStanza } from '../snapshots/snapshots-stanza.ts'

/** sys/config/state/sanitized: Vault's members as far as they exist here. Paths and addresses; nothing that opens anything. */
export function sanitizedConfig(config: ServerConfig): JsonObject {
  return {
    api_addr: config.apiAddr ?? '',
    cluster_addr: '',
    cluster_name: '',
    default_lease_ttl: config.defaultTtlMs / 1000,
    max_lease_ttl: config.maxTtlMs / 1000,
    default_max_request_duration: (config.maxRequestMs ?? 0) / 1000,
    disable_cache: false,
    disable_mlock: true,
    disable_performance_standby: false,
    disable_printable_check: false,
    enable_response_header_hostname: config.hostnameHeader,
    enable_ui: false,
    introspection_endpoint: false,
    raw_storage_endpoint: false,
    log_format: config.logFormat,
    log_level: config.logLevel,
    log_file: config.logFile ?? '',
    pid_file: config.pidFile ?? '',
    listeners: config.listeners.map(({ host, port, unix, tls }) => ({
      type: unix ? 'unix' : 'tcp',
      config: {
        address: unix?.path ?? `${host.includes(':') ? `[${host}]` : host}:${port}`,
        ...(tls
          ? { tls_cert_file: tls.certFile, tls_key_file: tls.keyFile, tls_min_version: tls.minVersion }
          : { tls_disable: true }),
      },
    })),
    storage: { type: config.storage.kind },
    ...sealsOf(config),
    telemetry: {
      disable_hostname: true,
      metrics_prefix: config.telemetry.prefix,
      usage_gauge_period: config.telemetry.usagePeriodMs * 1e6,
    },
    outbound: { allow: [...config.outboundAllow] },
    ...(config.snapshots
      ? {
          snapshots: {
            ...placeOf(config.snapshots),
            interval: config.snapshots.intervalMs / 1000,
            keep: config.snapshots.keep,
          },
        }
      : {}),
    audit_file_directories: [...config.auditDirectories],
    shutdown_timeout: config.shutdownMs / 1000,
  }
}

/** Without credentials, whatever they stand in. */
function placeOf({ to }: SnapshotsStanza): JsonObject {
  if (to.kind === 'folder') return { path: to.path }
  return {
    storage_type: 'aws-s3',
    aws_s3_bucket: to.bucket,
    path_prefix: to.prefix,
    ...(to.region ? { aws_s3_region: to.region } : {}),
    ...(to.endpoint ? { aws_s3_endpoint: to.endpoint } : {}),
  }
}

/** As Vault: absent when there is no stanza. */
function sealsOf({ seals }: ServerConfig): JsonObject {
  const { current, from } = seals ?? {}
  const found = [
    ...(current ? [{ type: current.kind, disabled: false }] : []),
    ...(from ? [{ type: from.kind, disabled: true }] : []),
  ]
  return found.length > 0 ? { seals: found } : {}
}
