import { Failure } from '../../cli/command.ts'
import { type FlagSpecs, type Flags, parseFlags } from '../../cli/flags.ts'
import { goBool, goDuration, goInt, quantity } from '../../injector/annotations/values.ts'
import { type InjectorDefaults, standardDefaults } from '../../injector/defaults.ts'
import { pemText } from '../../lib/pem-text.ts'
import type { LogLevel } from './log-lines.ts'

export interface InjectorArguments {
  readonly host: string
  readonly port: number
  readonly logLevel: LogLevel
  readonly logFormat: 'standard' | 'json'
  readonly kubeconfig: string | undefined
  /** Name of the MutatingWebhookConfiguration that gets our CA. */
  readonly tlsAuto: string | undefined
  readonly tlsAutoHosts: readonly string[]
  readonly tlsCertFile: string | undefined
  readonly tlsKeyFile: string | undefined
  readonly defaults: InjectorDefaults
}

type Env = Readonly<Record<string, string | undefined>>

const text = (about: string) => ({ kind: 'text', about }) as const
const flag = (about: string) => ({ kind: 'bool', about }) as const

/** vault-k8s' names; each is also AGENT_INJECT_<NAME> (dashes as underscores), which wins when it is not empty. */
export const injectorFlags: FlagSpecs = {
  listen: text('Address to serve on; default :8080. A loopback address also creates the webhook configuration.'),
  'log-level': text('trace, debug, info, warn or error; default info.'),
  'log-format': text('standard or json.'),
  kubeconfig: text('Kubernetes configuration; default: KUBECONFIG, the pod, ~/.kube/config.'),
  'tls-auto': text('MutatingWebhookConfiguration to keep our own CA in.'),
  'tls-auto-hosts': text('Names and addresses for the certificate, by comma.'),
  'tls-cert-file': text('Certificate instead of our own, PEM; read again when it changes.'),
  'tls-key-file': text('Its private key.'),
  'vault-address': text('Address of the server, for pods without the annotation service. Needed.'),
  'vault-auth-path': text('Default auth/kubernetes.'),
  'vault-auth-type': text('Default kubernetes.'),
  'vault-namespace': text('Namespace of the server.'),
  'vault-image': text('Image of the agent. Needed.'),
  'vault-cacert-bytes': text('CA certificate of the server, PEM or base64 of it, given to agents.'),
  'proxy-address': text('HTTPS_PROXY of agents.'),
  'default-template': text('map or json.'),
  'revoke-on-shutdown': flag('Whether agents revoke their token when they end.'),
  'run-as-user': text('Default 100.'),
  'run-as-group': text('Default 1000.'),
  'run-as-same-user': flag("Whether agents run as the pod's first container."),
  'set-security-context': flag('Default true.'),
  'cpu-request': text('Default 250m.'),
  'cpu-limit': text('Default 500m.'),
  'memory-request': text('Default 64Mi (AGENT_INJECT_MEM_REQUEST).'),
  'memory-limit': text('Default 128Mi (AGENT_INJECT_MEM_LIMIT).'),
  'ephemeral-storage-request': text('Default none (AGENT_INJECT_EPHEMERAL_REQUEST).'),
  'ephemeral-storage-limit': text('Default none (AGENT_INJECT_EPHEMERAL_LIMIT).'),
  'template-config-exit-on-retry-failure': flag('Default true.'),
  'template-static-secret-render-interval': text('Default that of the agent.'),
  'auth-min-backoff': text('Default that of the agent.'),
  'auth-max-backoff': text('Default that of the agent.'),
  'disable-idle-connections': text('Given to agents.'),
  'disable-keep-alives': text('Given to agents.'),
}

const otherVariables: Readonly<Record<string, string>> = {
  'vault-address': 'VAULT_ADDR',
  'memory-request': 'MEM_REQUEST',
  'memory-limit': 'MEM_LIMIT',
  'ephemeral-storage-request': 'EPHEMERAL_REQUEST',
  'ephemeral-storage-limit': 'EPHEMERAL_LIMIT',
}

/** Settings of vault-k8s that would have no effect here: said, not ignored. */
const unsupported = ['TLS_CA_CERT_FILE', 'TLS_CIPHER_SUITES', 'TELEMETRY_PATH', 'TEMPLATE_LEASE_RENEWAL_THRESHOLD']

/** Throws Failure that names the setting. */
export function readArguments(argv: readonly string[], env: Env): InjectorArguments {
  const { flags, args } = parseFlags(argv, injectorFlags)
  // vault-k8s is started as `agent-inject 2>&1`, the last word included.
  const strange = args.find((word) => word !== 'agent-inject' && word !== '2>&1')
  if (strange !== undefined) throw new Failure(1, `unknown argument: ${strange}`)
  const idle = unsupported.find((name) => (env[`AGENT_INJECT_${name}`] ?? '') !== '')
  if (idle) throw new Failure(1, `AGENT_INJECT_${idle} is not implemented: unset it`)
  const get = settings(flags, env)
  return {
    ...listenAddress(get('listen') ?? ':8080'),
    logLevel: logLevel(get('log-level') ?? 'info'),
    logFormat: logFormat(get('log-format') ?? 'standard'),
    kubeconfig: get('kubeconfig'),
    tlsAuto: get('tls-auto'),
    tlsAutoHosts: (get('tls-auto-hosts') ?? '').split(',').filter((host) => host !== ''),
    tlsCertFile: get('tls-cert-file'),
    tlsKeyFile: get('tls-key-file'),
    defaults: readDefaults(get),
  }
}

type Get = (name: string) => string | undefined

function settings(flags: Flags, env: Env): Get {
  return (name) => {
    const variable = `AGENT_INJECT_${otherVariables[name] ?? name.toUpperCase().replaceAll('-', '_')}`
    return env[variable] || flags.text(name)
  }
}

function readDefaults(get: Get): InjectorDefaults {
  const address = get('vault-address') ?? ''
  if (address === '')
    throw new Failure(1, 'No Vault service configured: give -vault-address or AGENT_INJECT_VAULT_ADDR')
  const image = get('vault-image') ?? ''
  if (image === '') throw new Failure(1, 'No agent image configured: give -vault-image or AGENT_INJECT_VAULT_IMAGE')
  const { resources } = standardDefaults
  return {
    ...standardDefaults,
    address,
    image,
    authPath: get('vault-auth-path') ?? standardDefaults.authPath,
    authType: get('vault-auth-type') ?? standardDefaults.authType,
    namespace: get('vault-namespace') ?? '',
    caCertPem: pemText(get('vault-cacert-bytes') ?? ''),
    proxyAddress: get('proxy-address') ?? '',
    template: checked(get, 'default-template', 'map', templateKind),
    revokeOnShutdown: checked(get, 'revoke-on-shutdown', false, goBool),
    runAsUser: checked(get, 'run-as-user', standardDefaults.runAsUser, goInt),
    runAsGroup: checked(get, 'run-as-group', standardDefaults.runAsGroup, goInt),
    runAsSameUser: checked(get, 'run-as-same-user', false, goBool),
    setSecurityContext: checked(get, 'set-security-context', true, goBool),
    resources: {
      limits: {
        cpu: checked(get, 'cpu-limit', resources.limits.cpu, quantity),
        memory: checked(get, 'memory-limit', resources.limits.memory, quantity),
        ephemeral: checked(get, 'ephemeral-storage-limit', '', quantity),
      },
      requests: {
        cpu: checked(get, 'cpu-request', resources.requests.cpu, quantity),
        memory: checked(get, 'memory-request', resources.requests.memory, quantity),
        ephemeral: checked(get, 'ephemeral-storage-request', '', quantity),
      },
    },
    exitOnRetryFailure: checked(get, 'template-config-exit-on-retry-failure', true, goBool),
    staticSecretRenderInterval: checked(get, 'template-static-secret-render-interval', '', goDuration),
    authMinBackoff: checked(get, 'auth-min-backoff', '', goDuration),
    authMaxBackoff: checked(get, 'auth-max-backoff', '', goDuration),
    disableIdleConnections: get('disable-idle-connections') ?? '',
    disableKeepAlives: get('disable-keep-alives') ?? '',
  }
}

function checked<T>(get: Get, name: string, standard: T, read: (text: string) => T): T {
  const value = get(name)
  if (value === undefined) return standard
  try {
    return read(value)
  } catch (error) {
    throw new Failure(1, `-${name}: ${error instanceof Error ? error.message : 'not understood'}`)
  }
}

function listenAddress(listen: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(listen)
  if (!match || Number(match[3]) > 65_535) throw new Failure(1, `-listen=${listen}: want host:port, such as :8080`)
  return { host: match[1] ?? (match[2] || '::'), port: Number(match[3]) }
}

function logLevel(given: string): LogLevel {
  const level = given.toLowerCase()
  if (level === 'trace' || level === 'debug') return 'debug'
  if (level === 'info' || level === 'notice') return 'info'
  if (level === 'warn' || level === 'warning') return 'warn'
  if (level === 'error' || level === 'err') return 'error'
  throw new Failure(1, `-log-level=${given}: want trace, debug, info, warn or error`)
}

function logFormat(given: string): 'standard' | 'json' {
  const format = given.toLowerCase()
  if (format === 'standard' || format === 'json') return format
  throw new Failure(1, `-log-format=${given}: want standard or json`)
}

function templateKind(given: string): string {
  const kind = given.toLowerCase()
  if (kind !== 'map' && kind !== 'json') throw new Failure(1, 'want map or json')
  return kind
}
