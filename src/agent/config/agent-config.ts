/** What `coffer agent` was told to do. Durations are milliseconds. */
export interface AgentConfig {
  readonly method: KubernetesMethod
  readonly sinks: readonly FileSinkConfig[]
  readonly exitAfterAuth: boolean
  readonly pidFile?: string
  readonly server: ServerConfig
  readonly templates: readonly TemplateConfig[]
  readonly templating: TemplatingConfig
  readonly listeners: readonly ListenerConfig[]
  readonly logLevel: LogLevel
  readonly logFormat: 'standard' | 'json'
}
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error'

export interface KubernetesMethod {
  readonly type: 'kubernetes'
  /** With "auth/". */
  readonly mountPath: string
  readonly namespace?: string
  readonly role: string
  /** Read again at each login: the kubelet replaces it. */
  readonly tokenPath: string
  readonly minBackoffMs: number
  readonly maxBackoffMs: number
  readonly exitOnErr: boolean
}
export interface FileSinkConfig {
  readonly path: string
  readonly mode: number
}
export interface ServerConfig {
  readonly address: string
  readonly caCert?: string
  readonly caPath?: string
  /** PEM itself, from VAULT_CACERT_BYTES. */
  readonly caCertBytes?: string
  readonly clientCert?: string
  readonly clientKey?: string
  readonly tlsServerName?: string
  readonly skipVerify: boolean
  readonly namespace?: string
  readonly timeoutMs: number
  /** Tries of one read before the first rendering is given up. */
  readonly attempts: number
}
export interface TemplateConfig {
  readonly destination: string
  /** Either the text or the file that holds it. */
  readonly contents?: string
  readonly source?: string
  readonly left?: string
  readonly right?: string
  readonly command?: string
  /** Absent: the existing file's mode, else 0644. */
  readonly perms?: number
  readonly errorOnMissingKey: boolean
  readonly createDirectories: boolean
}
export interface TemplatingConfig {
  readonly exitOnRetryFailure: boolean
  readonly staticIntervalMs: number
  /** Part of a lease after which a secret that can't be renewed is read again. */
  readonly leaseThreshold: number
}
export interface ListenerConfig {
  readonly host: string
  readonly port: number
  readonly enableQuit: boolean
}
