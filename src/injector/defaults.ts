/** What the injector itself is told, for pods that do not say otherwise (vault-k8s' AGENT_INJECT_* settings). */
export interface InjectorDefaults {
  readonly address: string
  readonly authPath: string
  readonly authType: string
  readonly namespace: string
  readonly image: string
  /** PEM, given to agents as VAULT_CACERT_BYTES. */
  readonly caCertPem: string
  readonly proxyAddress: string
  /** "map" or "json". */
  readonly template: string
  readonly revokeOnShutdown: boolean
  readonly runAsUser: number
  readonly runAsGroup: number
  readonly runAsSameUser: boolean
  readonly setSecurityContext: boolean
  readonly resources: Resources
  readonly exitOnRetryFailure: boolean
  readonly staticSecretRenderInterval: string
  readonly maxConnectionsPerHost: number
  readonly authMinBackoff: string
  readonly authMaxBackoff: string
  readonly disableIdleConnections: string
  readonly disableKeepAlives: string
}

/** Kubernetes quantities; '' leaves one out. */
export interface Resources {
  readonly limits: ResourceList
  readonly requests: ResourceList
}
export interface ResourceList {
  readonly cpu: string
  readonly memory: string
  readonly ephemeral: string
}

export const standardDefaults: Omit<InjectorDefaults, 'address' | 'image'> = {
  authPath: 'auth/kubernetes',
  authType: 'kubernetes',
  namespace: '',
  caCertPem: '',
  proxyAddress: '',
  template: 'map',
  revokeOnShutdown: false,
  runAsUser: 100,
  runAsGroup: 1000,
  runAsSameUser: false,
  setSecurityContext: true,
  resources: {
    limits: { cpu: '500m', memory: '128Mi', ephemeral: '' },
    requests: { cpu: '250m', memory: '64Mi', ephemeral: '' },
  },
  exitOnRetryFailure: true,
  staticSecretRenderInterval: '',
  maxConnectionsPerHost: 0,
  authMinBackoff: '',
  authMaxBackoff: '',
  disableIdleConnections: '',
  disableKeepAlives: '',
}
