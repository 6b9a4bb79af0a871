/** What may stand at the top level of the configuration, and what of Vault's settings does nothing here. */
import type { Accepted } from './settings.ts'

/** Each is read by a file of its own: a new one is a name here and in `read`, and a line in configuration.ts. */
export const stanzas = [
  'listener',
  'storage',
  'backend',
  'outbound',
  'telemetry',
  'seal',
  'initialize',
  'audit',
  'user_lockout',
  'snapshots',
] as const

/** In several files they add up; of other settings the last file's counts. */
export const adding = ['listener', 'audit', 'initialize', 'seal', 'user_lockout']

const oneKind = 'there is one kind of server here'
const noPlugins = 'this server runs only the engines that it was built with'

export const topLevel: Accepted = {
  where: 'the configuration',
  read: [
    ...stanzas,
    'audit_file_directories',
    'audit_destinations',
    'log_level',
    'log_format',
    'log_file',
    'pid_file',
    'default_lease_ttl',
    'max_lease_ttl',
    'default_max_request_duration',
    'shutdown_timeout',
    'workers',
    'api_addr',
    'enable_response_header_hostname',
    'disable_mlock',
    'raw_storage_endpoint',
    'introspection_endpoint',
  ],
  inert: {
    ui: 'the console is not part of this server yet',
    cluster_addr: 'every node is active, and nodes meet in the storage',
    cluster_name: 'the cluster gets its name when it is initialised',
    cluster_cipher_suites: 'nodes do not talk to each other over TLS',
    disable_clustering: 'nodes meet in the storage',
    disable_cache: 'no row is served from memory without asking the storage',
    cache_size: 'no row is served from memory without asking the storage',
    disable_performance_standby: oneKind,
    disable_standby_reads: oneKind,
    disable_sealwrap: 'everything is encrypted with the same keyring',
    disable_indexing: oneKind,
    disable_sentinel_trace: oneKind,
    disable_printable_check: 'paths with control characters are always refused',
    disable_sscts: 'tokens carry no state',
    detect_deadlocks: oneKind,
    imprecise_lease_role_tracking: 'leases are counted exactly',
    log_requests_level: 'requests are in the audit log',
    log_rotate_bytes: 'rotate log_file yourself and send SIGHUP',
    log_rotate_duration: 'rotate log_file yourself and send SIGHUP',
    log_rotate_max_files: 'rotate log_file yourself and send SIGHUP',
    enable_response_header_raft_node_id: 'there is no raft',
    license_path: 'no licence is needed',
    reporting: 'nothing is reported to anyone',
    experiments: 'there are none',
    plugin_directory: noPlugins,
    plugin_tmpdir: noPlugins,
    plugin_file_uid: noPlugins,
    plugin_file_permissions: noPlugins,
    plugin_download_behavior: noPlugins,
    plugin_auto_download: noPlugins,
    plugin_auto_register: noPlugins,
    service_registration: 'pods are not labelled yet: use a readiness probe on sys/health',
    unsafe_allow_api_audit_creation: 'audit devices are enabled by whoever has the policy for it',
  },
  refused: {
    ha_storage: 'storage itself is for any number of nodes',
    plugin: noPlugins,
    entropy: 'random bytes come from the operating system',
    sentinel: 'policies are the ACL language only',
    kms_library: 'give the library in the seal stanza',
    administrative_namespace_path: 'operations of the root namespace stay there',
    unsafe_cross_namespace_identity: 'entities belong to their namespace',
    unsafe_relative_paths: 'relative paths are always refused',
    allow_unauthenticated_workflows: 'there are no workflows',
  },
}
