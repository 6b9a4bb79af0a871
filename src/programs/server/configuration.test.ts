import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { parseServerFlags, UsageError } from './configuration/flags.ts'
import { sanitizedConfig } from './configuration/sanitized.ts'
import { ConfigurationError, parseConfiguration, readConfiguration } from './configuration.ts'

const root = mkdtempSync(join(tmpdir(), 'coffer-configuration-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const base = 'storage "inmem" {}\n'
const plainListener = {
  host: '127.0.0.1',
  port: 8200,
  requireRequestHeader: false,
  timeouts: {},
  metrics: 'with a token',
  inFlightForEveryone: false,
}
const listener = (body: string) => parseConfiguration(`${base}listener "tcp" {\n${body}\n}`).listeners[0]

describe('the configuration', () => {
  it('may be HCL or JSON', () => {
    const hcl = parseConfiguration(`
listener "tcp" {
  address       = "127.0.0.1:0"
  tls_cert_file = "/a.pem"
  tls_key_file  = "/a.key"
}
storage "lmdb" {
  path     = "/data"
  min_free = "64MiB"
}
outbound {
  allow = ["127.0.0.1/32"]
}
audit_file_directories = ["/audit"]
api_addr          = "https://vault.example:8200"
log_level         = "warn"
log_format        = "Standard"
log_file          = "/log"
pid_file          = "/pid"
default_lease_ttl = "24h"
max_lease_ttl     = "48h"
shutdown_timeout  = "3s"
disable_mlock     = true
telemetry {
  metrics_prefix     = "mine"
  usage_gauge_period = "1m"
  disable_hostname   = true
}
`)
    expect(hcl).toMatchObject({
      listeners: [
        {
          ...plainListener,
          port: 0,
          tls: {
            certFile: '/a.pem',
            keyFile: '/a.key',
            clientCertificates: 'not asked for',
            minVersion: 'TLSv1.2',
            maxVersion: 'TLSv1.3',
          },
        },
      ],
      storage: { kind: 'lmdb', path: '/data', minFreeBytes: 64 * 1024 * 1024 },
      auditDirectories: ['/audit'],
      outboundAllow: ['127.0.0.1/32'],
      apiAddr: 'https://vault.example:8200',
      logLevel: 'warn',
      logFormat: 'standard',
      logFile: '/log',
      pidFile: '/pid',
      hostnameHeader: false,
      telemetry: { prefix: 'mine', usagePeriodMs: 60_000 },
      defaultTtlMs: 86_400_000,
      maxTtlMs: 172_800_000,
      shutdownMs: 3000,
      warnings: [],
    })
    const json = parseConfiguration(
      '{"listener":{"tcp":{"address":"[::1]:8200","tls_disable":"1"}},"backend":{"lmdb":{"path":"/data"}}}',
    )
    expect(json.listeners).toEqual([{ ...plainListener, host: '::1' }])
    expect(json.storage).toEqual({ kind: 'lmdb', path: '/data' })
  })

  it('takes what Vault’s Helm chart writes, and says what of it does nothing', () => {
    const { warnings, listeners } = parseConfiguration(`
ui = true
disable_mlock = false
cluster_addr = "https://x:8201"
listener "tcp" {
  tls_disable = 1
  address = "[::]:8200"
  cluster_address = "[::]:8201"
  telemetry { unauthenticated_metrics_access = "true" }
}
storage "lmdb" { path = "/vault/data" }
service_registration "kubernetes" {}
telemetry { prometheus_retention_time = "30s" }
`)
    expect(listeners[0]).toMatchObject({ host: '::', metrics: 'for everyone' })
    expect(warnings).toEqual([
      '"ui" in the configuration has no effect: the console is not part of this server yet',
      '"cluster_addr" in the configuration has no effect: every node is active, and nodes meet in the storage',
      '"service_registration" in the configuration has no effect: pods are not labelled yet: use a readiness probe on sys/health',
      '"cluster_address" in listener "tcp" has no effect: every node is active, and nodes meet in the storage',
      '"prometheus_retention_time" in telemetry has no effect: metrics last as long as the process',
      '"disable_mlock" in the configuration has no effect: Node.js cannot lock memory, so turn swap off',
    ])
  })

  it.each([
    ['color = "x"', 'unknown key "color" in the configuration; accepted are listener, storage,'],
    [
      'listener "tcp" { tls_disable = true\n color = 1 }',
      'unknown key "color" in listener "tcp"; accepted are address,',
    ],
    ['listener "udp" {}', 'listener "udp" is not supported: "tcp" and "unix" are'],
    ['listener "unix" {}', 'listener "unix" needs an address: the path of its socket'],
    ['listener "unix" { address = "coffer.sock" }', '"address" must be an absolute path of at most 107 bytes'],
    ['listener "unix" { address = "/s"\n socket_mode = "rw" }', '"socket_mode" must be an octal mode such as "660"'],
    // HCL's number for it is 432, octal digits that would let everyone connect.
    ['listener "unix" { address = "/s"\n socket_mode = 0660 }', '"socket_mode" must be'],
    [
      'listener "unix" { address = "/s"\n socket_user = "a:b" }',
      '"socket_user" must be the name or the number of a user',
    ],
    ['listener "unix" { address = "/s"\n tls_cert_file = "/x" }', 'unknown key "tls_cert_file" in listener "unix"'],
    ['default_max_request_duration = "-1s"', '"default_max_request_duration" must be a duration'],
    ['listener "tcp" { address = "127.0.0.1:1" }', 'needs tls_cert_file and tls_key_file, or tls_disable = true'],
    ['listener "tcp" { address = "nowhere" }', '"nowhere" is not an address of the form host:port'],
    ['listener "tcp" { address = 1 }', '"address" must be a string'],
    ['outbound { deny = [] }', 'unknown key "deny" in outbound'],
    ['audit_file_directories = [1]', '"audit_file_directories" must be a list of strings'],
    ['log_level = "loud"', '"log_level" must be one of'],
    ['log_format = "xml"', '"log_format" must be one of standard, json, coffer'],
    ['max_lease_ttl = "never"', '"max_lease_ttl" must be a duration'],
    ['max_lease_ttl = "1h"\ndefault_lease_ttl = "2h"', 'default_lease_ttl is longer than max_lease_ttl'],
    ['storage "lmdb" { path = "/x" }', 'there can be only one storage block'],
    ['backend "lmdb" { path = "/x" }', 'there can be only one storage block'],
    ['log_level = "info"\nlog_level = "warn"', 'duplicate key "log_level"'],
    ['raw_storage_endpoint = true', '"raw_storage_endpoint" is not supported: there is no such endpoint'],
    ['disable_mlock = "perhaps"', '"disable_mlock" must be true or false'],
    ['plugin "secret" "x" {}', '"plugin" in the configuration is not supported: this server runs only'],
    ['telemetry { statsd_address = "x:1" }', '"statsd_address" in telemetry is not supported: metrics are read from'],
    ['telemetry { color = 1 }', 'unknown key "color" in telemetry'],
    ['listener "tcp" {', 'line 3, column 2'],
  ])('%s is refused by name', (text, error) => {
    expect(() => parseConfiguration(`${base}${text}\n`)).toThrow(error)
  })

  it.each([
    ['', 'a storage block is missing'],
    ['storage "raft" {}', 'storage "raft" is not supported: "lmdb", "postgresql" and "inmem" are'],
    ['storage "lmdb" {}', 'storage "lmdb" needs a path'],
    ['storage "lmdb" { path = "/x"\n min_free = "much" }', '"min_free" must be a size'],
  ])('%j: %s', (text, error) => expect(() => parseConfiguration(text)).toThrow(error))

  it('is shown without anything that opens something', () => {
    const config = parseConfiguration(`${base}listener "tcp" { tls_disable = true }\nlog_level = "error"`)
    expect(sanitizedConfig(config)).toMatchObject({
      log_level: 'error',
      max_lease_ttl: 2_764_800,
      storage: { type: 'inmem' },
      listeners: [{ type: 'tcp', config: { address: '127.0.0.1:8200', tls_disable: true } }],
    })
    expect(sanitizedConfig(config)).not.toHaveProperty('seals')
  })

  it('shows the kinds of its seals and none of their settings', () => {
    const config = parseConfiguration(`${base}
      seal "awskms" { kms_key_id = "k" access_key = "a" secret_key = "canary" }
      seal "static" { current_key_id = "a" current_key = "canary" disabled = true }`)
    const shown = sanitizedConfig(config)
    expect(shown['seals']).toEqual([
      { type: 'awskms', disabled: false },
      { type: 'static', disabled: true },
    ])
    expect(JSON.stringify(shown)).not.toContain('canary')
  })
})

describe('a listener', () => {
  it('says who may send X-Forwarded-For', () => {
    const rules = listener(`tls_disable = true
      x_forwarded_for_authorized_addrs = "10.0.0.0/8, 192.0.2.1"
      x_forwarded_for_hop_skips = "1"
      x_forwarded_for_reject_not_present = false`)?.forwardedFor
    expect(rules).toMatchObject({ hopSkips: 1, rejectNotPresent: false, rejectNotAuthorized: true })
    expect([rules?.authorized.check('10.9.9.9'), rules?.authorized.check('192.0.2.2')]).toEqual([true, false])
  })

  it('adds headers by status', () => {
    const body = `tls_disable = true
      custom_response_headers {
        "default" = { "Strict-Transport-Security" = ["max-age=1", "includeSubDomains"] }
        "4xx" = { "X-No" = ["no"], "cache-CONTROL" = ["public"] }
      }`
    expect(listener(body)?.customHeaders).toEqual({
      default: { 'Strict-Transport-Security': 'max-age=1; includeSubDomains' },
      // As the server names its own, which then stays.
      '4xx': { 'X-No': 'no', 'Cache-Control': 'public' },
    })
  })

  it('asks for certificates, versions and suites', () => {
    const body = `tls_cert_file = "c"\n tls_key_file = "k"\n tls_client_ca_file = "ca"
      tls_require_and_verify_client_cert = true\n tls_min_version = "tls13"
      tls_cipher_suites = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_AES_128_GCM_SHA256"`
    expect(listener(body)?.tls).toEqual({
      certFile: 'c',
      keyFile: 'k',
      clientCaFile: 'ca',
      clientCertificates: 'required',
      minVersion: 'TLSv1.3',
      maxVersion: 'TLSv1.3',
      ciphers: 'ECDHE-RSA-AES128-GCM-SHA256:TLS_AES_128_GCM_SHA256',
    })
  })

  it('has limits, timeouts, CORS and metrics of its own', () => {
    const body = `tls_disable = true\n max_request_size = 1024\n require_request_header = true
      http_read_timeout = "5s"\n http_read_header_timeout = "2s"\n http_idle_timeout = "1m"
      cors_enabled = true\n cors_allowed_origins = ["https://a"]\n cors_allowed_headers = ["X-A"]
      telemetry { metrics_only = true }
      inflight_requests_logging { unauthenticated_in_flight_requests_access = true }`
    expect(listener(body)).toMatchObject({
      maxRequestBytes: 1024,
      requireRequestHeader: true,
      timeouts: { readMs: 5000, readHeaderMs: 2000, idleMs: 60_000 },
      cors: { origins: ['https://a'], headers: expect.arrayContaining(['X-A', 'X-Vault-Token']), credentials: false },
      metrics: 'nothing else',
      inFlightForEveryone: true,
    })
  })

  it('has limits of its own for what a request may take, by the names of Vault and OpenBao', () => {
    const body = `tls_disable = true\n max_request_duration = "5s"\n http_write_timeout = "10s"
      max_request_json_memory = "1MiB"\n max_request_json_strings = 100\n max_json_depth = 5
      max_json_string_value_length = 50\n max_json_object_entry_count = "7"\n max_json_array_element_count = 8`
    expect(listener(body)).toMatchObject({
      requests: {
        durationMs: 5000,
        json: { maxBytes: 1_048_576, maxStrings: 100, maxDepth: 5, maxStringLength: 50 },
        maxMembers: 7,
        maxElements: 8,
      },
      timeouts: { writeMs: 10_000 },
    })
    expect(listener('tls_disable = true\n max_request_size = 64MiB'.replace('64MiB', '"64MiB"'))).toMatchObject({
      maxRequestBytes: 67_108_864,
      requests: { json: { maxBytes: 67_108_864 } },
    })
  })

  it('takes 0 for the default of a limit, as Vault does', () => {
    const zero = `tls_disable = true\n max_request_size = 0\n max_request_duration = 0\n http_write_timeout = "0"
      max_request_json_strings = 0\n max_request_json_memory = 0`
    expect(listener(zero)).toEqual(plainListener)
  })

  it('takes the time of its requests from the top level, unless it says its own', () => {
    const of = (body: string) =>
      parseConfiguration(
        `${base}default_max_request_duration = "20s"\nlistener "tcp" {\n tls_disable = true\n${body}\n}`,
      )
    expect(of('').listeners[0]?.requests).toEqual({ durationMs: 20_000 })
    expect(of('max_request_duration = "3s"').listeners[0]?.requests).toEqual({ durationMs: 3000 })
    expect(sanitizedConfig(of(''))).toMatchObject({ default_max_request_duration: 20 })
  })

  it('may be a socket of the file system', () => {
    const text = `${base}listener "unix" {
      address = "/run/coffer.sock"\n socket_mode = "0660"\n socket_user = 1000\n socket_group = "adm"\n max_request_size = 10\n}`
    const config = parseConfiguration(text)
    expect(config.listeners[0]).toEqual({
      ...plainListener,
      host: '',
      port: 0,
      unix: { path: '/run/coffer.sock', mode: 0o660, user: '1000', group: 'adm' },
      maxRequestBytes: 10,
      requests: { json: { maxBytes: 10 } },
    })
    expect(sanitizedConfig(config)).toMatchObject({
      listeners: [{ type: 'unix', config: { address: '/run/coffer.sock' } }],
    })
  })

  it.each([
    ['max_request_size = -1', '"max_request_size" is -1: there is always a limit here'],
    ['max_request_json_strings = "-5"', '"max_request_json_strings" is -5: there is always a limit here'],
    ['max_json_depth = 5000', '"max_json_depth" is 5000; at most 1000 are accepted'],
    ['max_request_duration = "never"', '"max_request_duration" must be a duration'],
    ['chroot_namespace = "team"', '"chroot_namespace" in listener "tcp" is not supported'],
    ['max_json_token = 5', '"max_json_token" in listener "tcp" is not supported'],
    ['socket_mode = "600"', 'unknown key "socket_mode" in listener "tcp"'],
    ['x_forwarded_for_authorized_addrs = "proxy"', 'must hold addresses or blocks'],
    ['x_forwarded_for_hop_skips = 1', '"x_forwarded_for_hop_skips" needs x_forwarded_for_authorized_addrs'],
    ['x_forwarded_for_authorized_addrs = "::1"\n x_forwarded_for_hop_skips = -1', 'must be a whole number'],
    [
      'custom_response_headers { "6xx" = { "A" = ["b"] } }',
      'invalid status code found in the server configuration: 6xx',
    ],
    ['custom_response_headers { "2xx" = { "A B" = ["b"] } }', '"A B" is not the name of a header'],
    ['custom_response_headers { "2xx" = { "X-Vault-A" = ["b"] } }', 'the header "X-Vault-A" belongs to the server'],
    ['custom_response_headers { "2xx" = { "A" = [1] } }', '"A" must be a list of strings'],
    ['cors_allowed_origins = ["*"]', '"cors_allowed_origins" needs cors_enabled = true'],
    ['cors_enabled = true', 'cors_allowed_origins must only contain a wildcard or only non-wildcard values'],
    ['telemetry { color = 1 }', 'unknown key "color" in telemetry of listener "tcp"'],
    ['proxy_protocol_behavior = "use_always"', '"proxy_protocol_behavior" in listener "tcp" is not supported'],
  ])('with %s is refused', (body, error) => {
    expect(() => listener(`tls_disable = true\n ${body}`)).toThrow(error)
  })

  it.each([
    ['tls_min_version = "tls13"\n tls_max_version = "tls12"', '"tls_max_version" must be greater than or equal to'],
    ['tls_min_version = "tls10"', '"tls_min_version" must be one of tls12, tls13'],
    ['tls_cipher_suites = "TLS_RSA_WITH_RC4_128_SHA"', '"tls_cipher_suites" holds "TLS_RSA_WITH_RC4_128_SHA"'],
    ['tls_require_and_verify_client_cert = true', 'needs tls_client_ca_file'],
    [
      'tls_client_ca_file = "x"\n tls_require_and_verify_client_cert = true\n tls_disable_client_certs = true',
      'exclude each other',
    ],
  ])('with TLS and %s is refused', (body, error) => {
    expect(() => listener(`tls_cert_file = "c"\n tls_key_file = "k"\n ${body}`)).toThrow(error)
  })
})

describe('several files', () => {
  const file = (name: string, text: string) => {
    const path = join(root, name)
    writeFileSync(path, text)
    return path
  }

  it('are one configuration: listeners add up, the last of everything else counts', () => {
    const folder = join(root, 'folder')
    mkdirSync(folder)
    file('folder/b.json', '{"log_level":"error","listener":{"tcp":{"address":"127.0.0.1:2","tls_disable":true}}}')
    file(
      'folder/a.hcl',
      `${base}log_level = "warn"\nlistener "tcp" {\n address = "127.0.0.1:1"\n tls_disable = true\n}`,
    )
    file('folder/notes.txt', 'not a configuration')
    file('folder/.hidden.hcl', 'neither {')
    const last = file('last.hcl', 'storage "lmdb" { path = "/x" }\nui = true')
    const config = readConfiguration([folder, last])
    expect(config.listeners.map(({ port }) => port)).toEqual([1, 2])
    expect([config.logLevel, config.storage]).toEqual(['error', { kind: 'lmdb', path: '/x' }])
    expect(config.warnings).toHaveLength(1)
  })

  it('are named when they are wrong, missing or none', () => {
    const wrong = file('wrong.hcl', '\ncolor = 1')
    expect(() => readConfiguration([wrong])).toThrow(`${wrong}: line 2, column 1: unknown key "color"`)
    expect(() => readConfiguration([join(root, 'nothing')])).toThrow(ConfigurationError)
    const empty = join(root, 'empty')
    mkdirSync(empty)
    expect(() => readConfiguration([empty])).toThrow(`there is no *.hcl or *.json file in ${empty}`)
  })
})

describe('user_lockout', () => {
  it('is read by type, as blocks of HCL or JSON', () => {
    const hcl = `user_lockout "All" {
  lockout_threshold     = "25"
  lockout_duration      = "10m"
  lockout_counter_reset = 300
}
user_lockout "approle" { disable_lockout = true }`
    const json =
      '{"storage":{"inmem":{}},"user_lockout":{"all":{"lockout_threshold":25,"lockout_duration":"10m","lockout_counter_reset":"5m"},"approle":{"disable_lockout":"true"}}}'
    const expected = {
      all: { threshold: 25, durationMs: 600_000, counterResetMs: 300_000 },
      approle: { disabled: true },
    }
    expect(parseConfiguration(`${base}${hcl}`).userLockout).toEqual(expected)
    expect(parseConfiguration(json).userLockout).toEqual(expected)
    expect(parseConfiguration(base).userLockout).toBeUndefined()
  })

  it.each([
    ['user_lockout "kubernetes" {}', 'user_lockout "kubernetes" is not supported: all, userpass, ldap, approle are'],
    ['user_lockout "all" {}\nuser_lockout "ALL" {}', 'there are two stanzas user_lockout "all"'],
    ['user_lockout "all" { lockout_threshold = 0 }', '"lockout_threshold" must be at least 1'],
    ['user_lockout "all" { lockout_threshold = "many" }', '"lockout_threshold" must be a whole number'],
    ['user_lockout "all" { lockout_duration = "soon" }', '"lockout_duration" must be a duration'],
    ['user_lockout "all" { lockout_disable = true }', 'unknown key "lockout_disable" in user_lockout'],
    ['user_lockout = 3', '"user_lockout" must be a block'],
  ])('%j is refused', (text, error) => expect(() => parseConfiguration(`${base}${text}`)).toThrow(error))

  it('is off when the environment says so, and nobody guesses what it says', () => {
    expect(parseServerFlags([], { VAULT_DISABLE_USER_LOCKOUT: 'true' }).userLockoutDisabled).toBe(true)
    expect(parseServerFlags([], { BAO_DISABLE_USER_LOCKOUT: '1' }).userLockoutDisabled).toBe(true)
    expect(parseServerFlags([], { VAULT_DISABLE_USER_LOCKOUT: 'false' }).userLockoutDisabled).toBeUndefined()
    expect(() => parseServerFlags([], { VAULT_DISABLE_USER_LOCKOUT: 'yes, please' })).toThrow(
      'VAULT_DISABLE_USER_LOCKOUT: "yes, please" is neither true nor false',
    )
  })
})

describe('the flags', () => {
  it("are Vault's, with one dash or two", () => {
    const flags = parseServerFlags(
      ['-dev', '--dev-root-token-id=root', '-dev-listen-address', '127.0.0.1:0', '-dev-no-store-token'],
      {},
    )
    expect(flags.dev).toEqual({ rootToken: 'root', host: '127.0.0.1', port: 0, storeToken: false })
    expect(parseServerFlags(['-config=/x', '-config', '/y', '-log-level=TRACE', '-log-format=json'], {})).toEqual({
      configFiles: ['/x', '/y'],
      logLevel: 'debug',
      logFormat: 'json',
      verifyOnly: false,
      help: false,
    })
    const dev = parseServerFlags(['-dev-tls', '-dev-tls-cert-dir=/c', '-dev-kv-v1', '-dev-skip-init'], {}).dev
    expect(dev).toMatchObject({ tlsDirectory: '/c', kvVersion: '1', skipInit: true })
    expect(parseServerFlags(['-dev-tls'], {}).dev).toMatchObject({ tlsDirectory: '' })
  })

  it('have defaults in the environment, ours first', () => {
    const env = {
      COFFER_DEV_ROOT_TOKEN_ID: 'ours',
      VAULT_DEV_ROOT_TOKEN_ID: 'theirs',
      VAULT_DEV_LISTEN_ADDRESS: '0.0.0.0:1',
      VAULT_LOG_LEVEL: 'warn',
    }
    expect(parseServerFlags(['-dev'], env).dev).toMatchObject({ rootToken: 'ours', host: '0.0.0.0', port: 1 })
    expect(parseServerFlags(['-dev'], env).logLevel).toBe('warn')
    expect(parseServerFlags(['-dev', '-log-level=error'], env).logLevel).toBe('error')
  })

  it.each([
    [['-wrong']],
    [['x']],
    [['-config']],
    [['-dev=maybe']],
    [['-dev', '-dev-listen-address=x']],
    [['-log-level=loud']],
    [['-log-format=xml']],
    [['-dev', '-dev-tls-cert-dir=/c']],
    [['-dev-three-node']],
    [['-recovery']],
  ])('%j is refused', (args) => expect(() => parseServerFlags(args, {})).toThrow(UsageError))
})
