import { describe, expect, it } from 'vitest'
import { parseConfiguration } from './configuration.ts'
import { parseServerFlags, UsageError } from './flags.ts'

const base = 'storage "inmem" {}\n'

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
log_level         = "warn"
default_lease_ttl = "24h"
max_lease_ttl     = "48h"
shutdown_timeout  = "3s"
`)
    expect(hcl).toEqual({
      listeners: [{ host: '127.0.0.1', port: 0, tls: { certFile: '/a.pem', keyFile: '/a.key' } }],
      storage: { kind: 'lmdb', path: '/data', minFreeBytes: 64 * 1024 * 1024 },
      auditDirectories: ['/audit'],
      outboundAllow: ['127.0.0.1/32'],
      logLevel: 'warn',
      defaultTtlMs: 86_400_000,
      maxTtlMs: 172_800_000,
      shutdownMs: 3000,
    })
    const json = parseConfiguration(
      '{"listener":{"tcp":{"address":"[::1]:8200","tls_disable":true}},"storage":{"lmdb":{"path":"/data"}}}',
    )
    expect(json.listeners).toEqual([{ host: '::1', port: 8200 }])
    expect(json.storage).toEqual({ kind: 'lmdb', path: '/data' })
  })

  it.each([
    ['api_addr = "x"', 'unknown key "api_addr" in the configuration; accepted are listener, storage,'],
    [
      'listener "tcp" { tls_disable = true\n color = 1 }',
      'unknown key "color" in listener "tcp"; accepted are address,',
    ],
    ['listener "unix" {}', 'listener "unix" is not supported: only "tcp" is'],
    ['listener "tcp" { address = "127.0.0.1:1" }', 'needs tls_cert_file and tls_key_file, or tls_disable = true'],
    ['listener "tcp" { address = "nowhere" }', '"nowhere" is not an address of the form host:port'],
    ['listener "tcp" { address = 1 }', '"address" must be a string'],
    ['outbound { deny = [] }', 'unknown key "deny" in outbound'],
    ['audit_file_directories = [1]', '"audit_file_directories" must be a list of strings'],
    ['log_level = "loud"', '"log_level" must be one of'],
    ['max_lease_ttl = "never"', '"max_lease_ttl" must be a duration'],
    ['max_lease_ttl = "1h"\ndefault_lease_ttl = "2h"', 'default_lease_ttl is longer than max_lease_ttl'],
    ['storage "lmdb" { path = "/x" }', 'there can be only one storage block'],
    ['log_level = "info"\nlog_level = "warn"', 'duplicate key "log_level"'],
    ['listener "tcp" {', 'line 3, column 2'],
  ])('%s is refused by name', (text, error) => {
    expect(() => parseConfiguration(`${base}${text}\n`)).toThrow(error)
  })

  it.each([
    ['', 'a storage block is missing'],
    ['storage "raft" {}', 'storage "raft" is not supported: "lmdb" and "inmem" are'],
    ['storage "lmdb" {}', 'storage "lmdb" needs a path'],
    ['storage "lmdb" { path = "/x"\n min_free = "much" }', '"min_free" must be a size'],
  ])('%j: %s', (text, error) => expect(() => parseConfiguration(text)).toThrow(error))
})

describe('the flags', () => {
  it("are Vault's, with one dash or two", () => {
    const flags = parseServerFlags(
      ['-dev', '--dev-root-token-id=root', '-dev-listen-address', '127.0.0.1:0', '-dev-no-store-token'],
      {},
    )
    expect(flags.dev).toEqual({ rootToken: 'root', host: '127.0.0.1', port: 0, storeToken: false })
    expect(parseServerFlags(['-config=/x', '-log-level=debug'], {})).toMatchObject({
      configFiles: ['/x'],
      logLevel: 'debug',
    })
  })

  it('have defaults in the environment, ours first', () => {
    const env = {
      COFFER_DEV_ROOT_TOKEN_ID: 'ours',
      VAULT_DEV_ROOT_TOKEN_ID: 'theirs',
      VAULT_DEV_LISTEN_ADDRESS: '0.0.0.0:1',
    }
    expect(parseServerFlags(['-dev'], env).dev).toMatchObject({ rootToken: 'ours', host: '0.0.0.0', port: 1 })
  })

  it.each([
    [['-wrong']],
    [['x']],
    [['-config']],
    [['-dev=maybe']],
    [['-dev', '-dev-listen-address=x']],
    [['-log-level=loud']],
  ])('%j is refused', (args) => expect(() => parseServerFlags(args, {})).toThrow(UsageError))
})
