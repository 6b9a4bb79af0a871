import { during, quantity } from '../annotations/values.ts'
import type { ResourceList } from '../defaults.ts'
import type { InjectionSpec, SecuritySpec } from '../spec.ts'
import { agentConfig } from './agent-config.ts'
import { applyJsonPatch } from './json-patch.ts'
import { mountsOf } from './volumes.ts'

export type AgentRole = 'init' | 'sidecar'

/** The agent's container: name, shape and order of env are what users' own JSON patches build on. */
export function agentContainer(spec: InjectionSpec, role: AgentRole): unknown {
  const container = {
    name: role === 'init' ? 'vault-agent-init' : 'vault-agent',
    image: spec.image,
    command: ['/bin/sh', '-ec'],
    args: [startLine(spec, role)],
    env: environmentOf(spec, role),
    resources: resourcesOf(spec),
    volumeMounts: mountsOf(spec, role),
    ...(role === 'sidecar' && { lifecycle: lifecycleOf(spec) }),
    ...(spec.security && { securityContext: securityContextOf(spec.security) }),
  }
  const patch = role === 'init' ? spec.initPatch : spec.sidecarPatch
  const annotation = role === 'init' ? 'agent-init-json-patch' : 'agent-json-patch'
  return during('', annotation, () => applyJsonPatch(container, patch))
}

function startLine(spec: InjectionSpec, role: AgentRole): string {
  if (spec.volumes.configMap !== '') {
    const file = role === 'init' ? 'config-init.hcl' : 'config.hcl'
    return `touch /home/vault/.vault-token && vault agent -config=/vault/configs/${file}`
  }
  return 'echo ${VAULT_CONFIG?} | base64 -d > /home/vault/config.json && vault agent -config=/home/vault/config.json'
}

function environmentOf(spec: InjectionSpec, role: AgentRole): object[] {
  const { environment, server } = spec
  return [
    fromField('NAMESPACE', 'metadata.namespace'),
    fromField('HOST_IP', 'status.hostIP'),
    fromField('POD_IP', 'status.podIP'),
    ...variable('GOMAXPROCS', environment.goMaxProcs),
    ...variable('VAULT_CLIENT_TIMEOUT', environment.clientTimeout),
    ...variable('VAULT_MAX_RETRIES', environment.clientMaxRetries),
    ...variable('VAULT_LOG_LEVEL', environment.logLevel),
    ...variable('VAULT_LOG_FORMAT', environment.logFormat),
    ...variable('HTTPS_PROXY', environment.proxyAddress),
    ...(spec.volumes.configMap === ''
      ? variable('VAULT_CONFIG', Buffer.from(JSON.stringify(agentConfig(spec, role))).toString('base64'))
      : serverVariables(spec)),
    ...variable('VAULT_CACERT_BYTES', server.caCertPem),
  ]
}

/** With a config map the agent is told of its server by the environment. */
function serverVariables({ server }: InjectionSpec): object[] {
  return [
    ...variable('VAULT_ADDR', server.address),
    ...variable('VAULT_CACERT', server.caCert),
    ...variable('VAULT_CAPATH', server.caPath),
    ...variable('VAULT_CLIENT_CERT', server.clientCert),
    ...variable('VAULT_CLIENT_KEY', server.clientKey),
    ...variable('VAULT_SKIP_VERIFY', String(server.skipVerify)),
    ...variable('VAULT_TLS_SERVER_NAME', server.tlsServerName),
  ]
}

const fromField = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } })

const variable = (name: string, value: string) => (value === '' ? [] : [{ name, value }])

function resourcesOf(spec: InjectionSpec): object {
  const limits = resourceList(spec.resources.limits)
  const requests = resourceList(spec.resources.requests)
  return {
    ...(Object.keys(limits).length > 0 && { limits }),
    ...(Object.keys(requests).length > 0 && { requests }),
  }
}

function resourceList(list: ResourceList): Record<string, string> {
  const entries = [
    ['cpu', list.cpu],
    ['memory', list.memory],
    ['ephemeral-storage', list.ephemeral],
  ].filter(([, value]) => value !== '')
  return Object.fromEntries(entries.map(([name, value]) => [name, quantity(value ?? '')]))
}

function securityContextOf(security: SecuritySpec): object {
  return {
    capabilities: { drop: ['ALL'] },
    runAsUser: security.runAsUser,
    runAsGroup: security.runAsGroup,
    runAsNonRoot: security.runAsUser !== 0 && security.runAsGroup !== 0,
    readOnlyRootFilesystem: true,
    allowPrivilegeEscalation: false,
    ...(security.seccomp && { seccompProfile: { type: 'RuntimeDefault' } }),
  }
}

function lifecycleOf(spec: InjectionSpec): object {
  if (!spec.revoke.onShutdown) return {}
  const { server } = spec
  const flags = [
    `-address=${server.address}`,
    ...(server.caCert ? [`-ca-cert=${server.caCert}`] : []),
    ...(server.caPath ? [`-ca-path=${server.caPath}`] : []),
    ...(server.clientCert ? [`-client-cert=${server.clientCert}`] : []),
    ...(server.clientKey ? [`-client-key=${server.clientKey}`] : []),
    ...(server.tlsServerName ? [`-tls-server-name=${server.tlsServerName}`] : []),
    ...(server.skipVerify ? ['-tls-skip-verify'] : []),
    '-self',
  ]
  const line = `/bin/sleep ${spec.revoke.graceSeconds} && /bin/vault token revoke ${flags.join(' ')}`
  return { preStop: { exec: { command: ['/bin/sh', '-c', line] } } }
}
