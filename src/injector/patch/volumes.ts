import type { InjectionSpec } from '../spec.ts'
import type { AgentRole } from './container.ts'

const inMemory = (name: string) => ({ name, emptyDir: { medium: 'Memory' } })

/** New volumes of the pod, in the field's order. */
export function volumesOf(spec: InjectionSpec): object[] {
  const { volumes } = spec
  return [
    ...(spec.init ? [inMemory('home-init')] : []),
    ...(spec.sidecar ? [inMemory('home-sidecar')] : []),
    inMemory('vault-secrets'),
    ...customPaths(spec).map((_, index) => inMemory(customName(index))),
    ...(volumes.configMap ? [{ name: 'vault-config', configMap: { name: volumes.configMap } }] : []),
    ...(volumes.extraSecret ? [{ name: 'extra-secrets', secret: { secretName: volumes.extraSecret } }] : []),
    ...(volumes.tlsSecret ? [{ name: 'vault-tls-secrets', secret: { secretName: volumes.tlsSecret } }] : []),
    ...(spec.cache?.persistent ? [inMemory('vault-agent-cache')] : []),
  ]
}

/** What the agent's own container mounts. */
export function mountsOf(spec: InjectionSpec, role: AgentRole): object[] {
  const { tokenMount, volumes } = spec
  const home = { name: role === 'init' ? 'home-init' : 'home-sidecar', mountPath: '/home/vault' }
  const token = { name: tokenMount.volume, readOnly: true, mountPath: tokenMount.mountPath }
  return [
    ...(role === 'init' ? [home, token] : [token, home]),
    ...secretMounts(spec),
    ...(volumes.extraSecret ? [readOnly('extra-secrets', '/vault/custom')] : []),
    ...volumes.copied,
    ...(volumes.configMap ? [readOnly('vault-config', '/vault/configs')] : []),
    ...(volumes.tlsSecret ? [readOnly('vault-tls-secrets', '/vault/tls')] : []),
    ...(spec.cache?.persistent ? [{ name: 'vault-agent-cache', mountPath: '/vault/agent-cache' }] : []),
  ]
}

/** Where the secrets are: what every container that sees them mounts. */
export function secretMounts(spec: InjectionSpec): object[] {
  return [
    { name: 'vault-secrets', mountPath: spec.secretsPath },
    ...customPaths(spec).map((mountPath, index) => ({ name: customName(index), mountPath })),
  ]
}

const readOnly = (name: string, mountPath: string) => ({ name, readOnly: true, mountPath })

const customName = (index: number) => `vault-secrets-custom-${index}`

const customPaths = (spec: InjectionSpec) => [
  ...new Set(spec.secrets.map(({ mountPath }) => mountPath).filter((path) => path !== spec.secretsPath)),
]
