import { describe, expect, it } from 'vitest'
import { readConfig } from './read-config.ts'

const read = (text: string, env: Record<string, string> = {}, flags = {}) =>
  readConfig([{ path: 'a.hcl', text }], env, flags)

/** What the injector writes for the mission's pod (reference: vault-k8s 1.7). */
const injected = {
  auto_auth: {
    method: {
      type: 'kubernetes',
      mount_path: 'auth/kubernetes',
      config: { role: 'my-app-role', token_path: '/var/run/secrets/kubernetes.io/serviceaccount/token' },
    },
    sink: [{ type: 'file', config: { path: '/home/vault/.vault-token' } }],
  },
  exit_after_auth: true,
  pid_file: '/home/vault/.pid',
  vault: { address: 'https://vault.vault.svc:8200' },
  template: [
    { destination: '/vault/secrets/config', contents: 'x', left_delimiter: '{{', right_delimiter: '}}' },
    { destination: '/vault/secrets/b', contents: 'y', perms: '0400', error_on_missing_key: true, command: 'true' },
  ],
  template_config: { exit_on_retry_failure: true, static_secret_render_interval: '30s' },
}
const minimal = 'auto_auth { method "kubernetes" { config = { role = "r" } } }\n'

describe('the configuration', () => {
  it('reads what the injector writes', () => {
    expect(read(JSON.stringify(injected))).toEqual({
      method: {
        type: 'kubernetes',
        mountPath: 'auth/kubernetes',
        role: 'my-app-role',
        tokenPath: '/var/run/secrets/kubernetes.io/serviceaccount/token',
        minBackoffMs: 1000,
        maxBackoffMs: 300_000,
        exitOnErr: false,
      },
      sinks: [{ path: '/home/vault/.vault-token', mode: 0o640 }],
      exitAfterAuth: true,
      pidFile: '/home/vault/.pid',
      server: { address: 'https://vault.vault.svc:8200', skipVerify: false, timeoutMs: 60_000, attempts: 13 },
      templates: [
        {
          destination: '/vault/secrets/config',
          contents: 'x',
          left: '{{',
          right: '}}',
          errorOnMissingKey: false,
          createDirectories: true,
        },
        {
          destination: '/vault/secrets/b',
          contents: 'y',
          perms: 0o400,
          command: 'true',
          errorOnMissingKey: true,
          createDirectories: true,
        },
      ],
      templating: { exitOnRetryFailure: true, staticIntervalMs: 30_000, leaseThreshold: 0.9 },
      listeners: [],
      logLevel: 'info',
      logFormat: 'standard',
    })
  })

  it('reads the same from HCL with labels', () => {
    const hcl = `
      pid_file = "/home/vault/.pid"
      vault { address = "https://v:8200/" ca_cert = "/vault/tls/ca.crt" retry { num_retries = 5 } }
      auto_auth {
        method "kubernetes" {
          mount_path = "auth/k8s/"
          namespace = "team"
          min_backoff = "2s"
          config = { role = "r" }
        }
        sink "file" { config = { path = "/a" mode = "0600" } }
        sink "file" { config = { path = "/b" } }
      }
      template { source = "/t/a.tpl" destination = "/out/a" }
      template { contents = <<EOT
{{ with secret "secret/x" }}{{ .Data.y }}{{ end }}
EOT
        destination = "/out/b" }
      listener "tcp" { address = "127.0.0.1:8100" tls_disable = true agent_api { enable_quit = true } }
      cache {}
    `
    const config = read(hcl)
    expect(config.method).toMatchObject({ mountPath: 'auth/k8s', namespace: 'team', role: 'r', minBackoffMs: 2000 })
    expect(config.server).toMatchObject({
      address: 'https://v:8200',
      caCert: '/vault/tls/ca.crt',
      namespace: 'team',
      attempts: 6,
    })
    expect(config.sinks).toEqual([
      { path: '/a', mode: 0o600 },
      { path: '/b', mode: 0o640 },
    ])
    expect(config.templates.map((t) => [t.source, t.contents, t.destination])).toEqual([
      ['/t/a.tpl', undefined, '/out/a'],
      [undefined, '{{ with secret "secret/x" }}{{ .Data.y }}{{ end }}\n', '/out/b'],
    ])
    expect(config.listeners).toEqual([{ host: '127.0.0.1', port: 8100, enableQuit: true }])
    expect(config.templating.exitOnRetryFailure).toBe(false)
  })

  it('lets the environment win over files, and flags over both', () => {
    const env = {
      VAULT_ADDR: 'https://env:8200',
      VAULT_CACERT: '/env/ca',
      VAULT_SKIP_VERIFY: 'true',
      VAULT_NAMESPACE: 'ns',
      VAULT_LOG_LEVEL: 'debug',
      VAULT_LOG_FORMAT: 'json',
      VAULT_MAX_RETRIES: '3',
      VAULT_CLIENT_TIMEOUT: '5s',
    }
    const config = read(`${minimal} vault { address = "https://file" }`, env, { logLevel: 'warn' })
    expect(config.server).toEqual({
      address: 'https://env:8200',
      caCert: '/env/ca',
      namespace: 'ns',
      skipVerify: true,
      timeoutMs: 5000,
      attempts: 4,
    })
    expect(config.logLevel).toBe('warn')
    expect(config.logFormat).toBe('json')
    expect(read(minimal, { COFFER_ADDR: 'http://c', VAULT_ADDR: 'http://v' }).server.address).toBe('http://c')
  })

  it('takes VAULT_CACERT_BYTES as PEM and as base64 of it', () => {
    const pem = '-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n'
    expect(read(minimal, { VAULT_CACERT_BYTES: pem }).server.caCertBytes).toBe(pem)
    const base64 = Buffer.from(pem).toString('base64')
    expect(read(minimal, { VAULT_CACERT_BYTES: base64 }).server.caCertBytes).toBe(pem)
  })

  it('never tries again without a pause: a backoff of 0 is the default', () => {
    const hcl = 'auto_auth { method "kubernetes" { min_backoff = "0s" max_backoff = 0 config = { role = "r" } } }\n'
    expect(read(hcl).method).toMatchObject({ minBackoffMs: 1000, maxBackoffMs: 300_000 })
  })

  it('names the variable that is wrong as it is set', () => {
    expect(() => read(minimal, { COFFER_SKIP_VERIFY: 'yes' })).toThrow('COFFER_SKIP_VERIFY must be true or false')
  })

  it('does not take VAULT_SKIP_VERIFY=false for true', () => {
    expect(read(minimal, { VAULT_SKIP_VERIFY: 'false' }).server.skipVerify).toBe(false)
    expect(() => read(minimal, { VAULT_SKIP_VERIFY: 'yes' })).toThrow('VAULT_SKIP_VERIFY must be true or false')
  })

  it('adds up repeated files; of a repeated setting the last counts', () => {
    const config = readConfig(
      [
        { path: 'a', text: `${minimal} pid_file = "/a" template { contents = "a" destination = "/a" }` },
        { path: 'b', text: 'pid_file = "/b" template { contents = "b" destination = "/b" }' },
      ],
      {},
    )
    expect(config.pidFile).toBe('/b')
    expect(config.templates.map((t) => t.destination)).toEqual(['/a', '/b'])
  })

  it.each([
    ['', '"auto_auth" is missing'],
    ['auto_auth {}', '"auto_auth.method" is missing'],
    ['auto_auth { method "approle" { config = { role = "r" } } }', 'must be "kubernetes"'],
    ['auto_auth { method "kubernetes" { config = { } } }', 'config.role" is missing'],
    [`${minimal} tempalte { }`, 'unknown key "tempalte"; accepted here: auto_auth'],
    [`${minimal} exec { command = ["x"] }`, '"exec" is known to Vault Agent but not implemented by coffer agent'],
    [`${minimal} telemetry { }`, '"telemetry" is known to Vault Agent but not implemented'],
    [
      `${minimal} cache { use_auto_auth_token = true }`,
      '"cache.use_auto_auth_token" is known to Vault Agent but not implemented',
    ],
    [`${minimal} template { destination = "/a" }`, '"template.contents" or "source" is needed'],
    [`${minimal} template { contents = "x" }`, '"template.destination" is missing'],
    [
      `${minimal} template { contents = "x" destination = "/a" perms = "0999" }`,
      '"template.perms" must be an octal file mode',
    ],
    [
      `${minimal} template { contents = "x" destination = "/a" wait { min = "1s" } }`,
      '"template.wait" is known to Vault Agent',
    ],
    [`${minimal} template_config { static_secret_render_interval = "soon" }`, 'must be a duration'],
    [`${minimal} exit_after_auth = "maybe"`, '"exit_after_auth" must be true or false'],
    [`${minimal} listener "tcp" { address = "127.0.0.1:1" }`, 'tls_disable" must be true'],
    [
      'auto_auth { method "kubernetes" { config = { role = "r" rloe = "x" } } }',
      'config.rloe"; accepted here: role, token_path',
    ],
    ['auto_auth {', 'a.hcl: line 1'],
  ])('refuses %j by name', (text, message) => expect(() => read(text)).toThrow(message))
})
