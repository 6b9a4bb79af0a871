import type { InjectionSpec, SecretSpec } from '../spec.ts'

/** The agent's configuration file, as the field's injector writes it. */
export function agentConfig(spec: InjectionSpec, role: 'init' | 'sidecar'): object {
  const { server, auth, templating } = spec
  const templates = spec.secrets.map(templateOf)
  return {
    auto_auth: {
      method: {
        type: auth.type,
        mount_path: auth.path,
        ...given('min_backoff', auth.minBackoff),
        ...given('max_backoff', auth.maxBackoff),
        ...given('namespace', server.namespace),
        config: auth.config,
        ...given('exit_on_err', auth.exitOnError),
      },
      sink: [
        { type: 'file', config: { path: '/home/vault/.vault-token' } },
        ...(spec.injectToken ? [{ type: 'file', config: { path: `${spec.secretsPath}/token` } }] : []),
      ],
    },
    exit_after_auth: role === 'init',
    pid_file: '/home/vault/.pid',
    vault: {
      address: server.address,
      ...given('ca_cert', server.caCert),
      ...given('ca_path', server.caPath),
      ...given('tls_skip_verify', server.skipVerify),
      ...given('client_cert', server.clientCert),
      ...given('client_key', server.clientKey),
      ...given('tls_server_name', server.tlsServerName),
    },
    ...(templates.length > 0 && { template: templates }),
    template_config: {
      exit_on_retry_failure: templating.exitOnRetryFailure,
      ...given('static_secret_render_interval', templating.staticSecretRenderInterval),
      ...given('max_connections_per_host', templating.maxConnectionsPerHost),
      ...given('lease_renewal_threshold', templating.leaseRenewalThreshold),
    },
    ...listenerAndCache(spec, role),
    ...(Object.keys(spec.telemetry).length > 0 && { telemetry: spec.telemetry }),
    ...(spec.disableIdleConnections.length > 0 && { disable_idle_connections: spec.disableIdleConnections }),
    ...(spec.disableKeepAlives.length > 0 && { disable_keep_alives: spec.disableKeepAlives }),
  }
}

function templateOf(secret: SecretSpec): object {
  return {
    destination: secret.destination,
    ...given('contents', secret.contents),
    left_delimiter: secret.left,
    right_delimiter: secret.right,
    ...given('command', secret.command),
    ...given('source', secret.source),
    ...given('perms', secret.perms),
    ...given('error_on_missing_key', secret.errorOnMissingKey),
  }
}

function listenerAndCache(spec: InjectionSpec, role: 'init' | 'sidecar'): object {
  const { cache } = spec
  // A cache in memory serves the sidecar only; a persistent one is filled by the init container too.
  const caches = cache !== undefined && (cache.persistent || role === 'sidecar')
  if (!caches && !spec.enableQuit) return {}
  return {
    listener: [
      {
        type: 'tcp',
        address: `127.0.0.1:${spec.listenerPort}`,
        tls_disable: true,
        ...(spec.enableQuit && { agent_api: { enable_quit: true } }),
      },
    ],
    cache: caches
      ? {
          use_auto_auth_token: cache.useAutoAuthToken,
          ...(cache.persistent && {
            persist: { type: 'kubernetes', path: '/vault/agent-cache', ...given('exit_on_err', cache.exitOnError) },
          }),
        }
      : {},
  }
}

/** The member, unless its value is Go's zero value. */
function given(name: string, value: string | number | boolean): object {
  return value === '' || value === 0 || value === false ? {} : { [name]: value }
}
