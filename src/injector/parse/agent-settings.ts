import type { AnnotationName, Annotations } from '../annotations/known.ts'
import { Denial, during, goBool, goFloat, goInt, goUint } from '../annotations/values.ts'
import type { InjectorDefaults, ResourceList, Resources } from '../defaults.ts'
import type { AuthSpec, CacheSpec, EnvironmentSpec, InjectionSpec, ServerSpec, TemplatingSpec } from '../spec.ts'

/** One bool annotation; absent: the default. */
export function flag(annotations: Annotations, name: AnnotationName, standard: boolean): boolean {
  const text = annotations.get(name)
  return text === undefined ? standard : during('', name, () => goBool(text))
}

export function readAuth(
  annotations: Annotations,
  defaults: InjectorDefaults,
  token: InjectionSpec['tokenMount'],
): AuthSpec {
  const type = annotations.get('auth-type') ?? defaults.authType
  const role = annotations.get('role')
  const own = [...annotations.family('auth-config-')].map(([name, value]) => [name.replaceAll('-', '_'), value])
  return {
    type,
    path: annotations.get('auth-path') ?? defaults.authPath,
    config: {
      ...(type === 'kubernetes' && { token_path: token.tokenPath }),
      ...Object.fromEntries(own),
      ...(role && { role }),
    },
    minBackoff: annotations.get('auth-min-backoff') ?? defaults.authMinBackoff,
    maxBackoff: annotations.get('auth-max-backoff') ?? defaults.authMaxBackoff,
    exitOnError: flag(annotations, 'agent-auto-auth-exit-on-err', false),
  }
}

export function readServer(annotations: Annotations, defaults: InjectorDefaults): ServerSpec {
  return {
    address: annotations.get('service') ?? defaults.address,
    namespace: annotations.get('namespace') ?? defaults.namespace,
    caCert: annotations.get('ca-cert') ?? '',
    // The annotation's name is the field's own slip; it always was the folder of certificates.
    caPath: annotations.get('ca-key') ?? '',
    clientCert: annotations.get('client-cert') ?? '',
    clientKey: annotations.get('client-key') ?? '',
    tlsServerName: annotations.get('tls-server-name') ?? '',
    skipVerify: flag(annotations, 'tls-skip-verify', false),
    caCertPem: defaults.caCertPem,
  }
}

export function readEnvironment(annotations: Annotations, defaults: InjectorDefaults): EnvironmentSpec {
  return {
    logLevel: annotations.get('log-level') ?? 'info',
    logFormat: annotations.get('log-format') ?? 'standard',
    proxyAddress: annotations.get('proxy-address') ?? defaults.proxyAddress,
    clientTimeout: annotations.get('client-timeout') ?? '',
    clientMaxRetries: annotations.get('client-max-retries') ?? '',
    goMaxProcs: annotations.get('go-max-procs') ?? '',
  }
}

/** Quantities are checked when the container is made, as the field's injector does. */
export function readResources(annotations: Annotations, defaults: InjectorDefaults): Resources {
  const list = (kind: 'limits' | 'requests', standard: ResourceList): ResourceList => ({
    cpu: annotations.get(`agent-${kind}-cpu`) ?? standard.cpu,
    memory: annotations.get(`agent-${kind}-mem`) ?? standard.memory,
    ephemeral: annotations.get(`agent-${kind}-ephemeral`) ?? standard.ephemeral,
  })
  return {
    limits: list('limits', defaults.resources.limits),
    requests: list('requests', defaults.resources.requests),
  }
}

export function readRevoke(annotations: Annotations, defaults: InjectorDefaults): InjectionSpec['revoke'] {
  const grace = annotations.get('agent-revoke-grace') ?? '5'
  return {
    onShutdown: flag(annotations, 'agent-revoke-on-shutdown', defaults.revokeOnShutdown),
    graceSeconds: during('', 'agent-revoke-grace', () => goUint(grace)),
  }
}

export function readCache(annotations: Annotations, both: boolean): CacheSpec | undefined {
  const exitOnError = flag(annotations, 'agent-cache-exit-on-err', false)
  if (!flag(annotations, 'agent-cache-enable', false)) return undefined
  const useAutoAuthToken = annotations.get('agent-cache-use-auto-auth-token') ?? 'true'
  return { useAutoAuthToken, persistent: both, exitOnError }
}

export function readPort(annotations: Annotations): number {
  const text = annotations.get('agent-cache-listener-port') ?? '8200'
  const port = during('', 'agent-cache-listener-port', () => goUint(text))
  if (port < 1 || port > 65535) throw new Denial(`invalid port ${text}`, 'agent-cache-listener-port')
  return port
}

export function readTemplating(annotations: Annotations, defaults: InjectorDefaults): TemplatingSpec {
  const connections = annotations.get('template-max-connections-per-host')
  const threshold = annotations.get('template-lease-renewal-threshold')
  return {
    exitOnRetryFailure: flag(annotations, 'template-config-exit-on-retry-failure', defaults.exitOnRetryFailure),
    staticSecretRenderInterval:
      annotations.get('template-static-secret-render-interval') ?? defaults.staticSecretRenderInterval,
    maxConnectionsPerHost: during('', 'template-max-connections-per-host', () =>
      connections === undefined ? defaults.maxConnectionsPerHost : goInt(connections),
    ),
    leaseRenewalThreshold: during('', 'template-lease-renewal-threshold', () =>
      threshold === undefined ? 0 : goFloat(threshold),
    ),
  }
}

/** Values are JSON where they can be read as such, else text. */
export function readTelemetry(annotations: Annotations): Record<string, unknown> {
  const entries = [...annotations.family('agent-telemetry-')].map(([name, value]) => [
    name.replaceAll('-', '_'),
    jsonOrText(value),
  ])
  return Object.fromEntries(entries)
}

export const commaList = (text: string): readonly string[] => (text === '' ? [] : text.split(','))

function jsonOrText(value: string): unknown {
  try {
    return JSON.parse(value)
  } catch {
    return value
  }
}
