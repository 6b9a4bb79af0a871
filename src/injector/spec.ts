import type { Resources } from './defaults.ts'
import type { JsonPatchOperation } from './patch/json-patch.ts'

/** What is to be injected: the annotations and defaults, understood and checked. */
export interface InjectionSpec {
  readonly image: string
  readonly init: boolean
  readonly sidecar: boolean
  readonly initFirst: boolean
  readonly auth: AuthSpec
  readonly server: ServerSpec
  readonly secrets: readonly SecretSpec[]
  readonly secretsPath: string
  /** Names of the app containers that see the secrets. */
  readonly containers: readonly string[]
  readonly tokenMount: { readonly volume: string; readonly mountPath: string; readonly tokenPath: string }
  readonly injectToken: boolean
  readonly volumes: VolumesSpec
  readonly environment: EnvironmentSpec
  readonly security: SecuritySpec | undefined
  readonly resources: Resources
  readonly shareProcessNamespace: boolean | undefined
  readonly revoke: { readonly onShutdown: boolean; readonly graceSeconds: number }
  readonly cache: CacheSpec | undefined
  readonly enableQuit: boolean
  /** Port of the agent's own listener. */
  readonly listenerPort: number
  readonly templating: TemplatingSpec
  readonly telemetry: Readonly<Record<string, unknown>>
  readonly disableIdleConnections: readonly string[]
  readonly disableKeepAlives: readonly string[]
  readonly sidecarPatch: readonly JsonPatchOperation[]
  readonly initPatch: readonly JsonPatchOperation[]
}
export interface AuthSpec {
  readonly type: string
  readonly path: string
  readonly config: Readonly<Record<string, string>>
  readonly minBackoff: string
  readonly maxBackoff: string
  readonly exitOnError: boolean
}
export interface ServerSpec {
  readonly address: string
  readonly namespace: string
  readonly caCert: string
  readonly caPath: string
  readonly clientCert: string
  readonly clientKey: string
  readonly tlsServerName: string
  readonly skipVerify: boolean
  /** PEM. */
  readonly caCertPem: string
}
export interface SecretSpec {
  readonly name: string
  /** Where the file goes: a mount path, and the path below it. */
  readonly mountPath: string
  readonly destination: string
  readonly contents: string
  readonly source: string
  readonly left: string
  readonly right: string
  readonly command: string
  readonly perms: string
  readonly errorOnMissingKey: boolean
}
export interface VolumesSpec {
  readonly configMap: string
  readonly extraSecret: string
  readonly tlsSecret: string
  /** Mounts of another container of the pod. */
  readonly copied: readonly Readonly<Record<string, unknown>>[]
}
export interface EnvironmentSpec {
  readonly logLevel: string
  readonly logFormat: string
  readonly proxyAddress: string
  readonly clientTimeout: string
  readonly clientMaxRetries: string
  readonly goMaxProcs: string
}
export interface SecuritySpec {
  readonly runAsUser: number
  readonly runAsGroup: number
  /** Each of the pod's own containers names a seccomp profile and the pod does not: without one of its own the agent would break Pod Security `restricted`. */
  readonly seccomp: boolean
}
export interface CacheSpec {
  readonly useAutoAuthToken: string
  readonly persistent: boolean
  readonly exitOnError: boolean
}
export interface TemplatingSpec {
  readonly exitOnRetryFailure: boolean
  readonly staticSecretRenderInterval: string
  readonly maxConnectionsPerHost: number
  readonly leaseRenewalThreshold: number
}
