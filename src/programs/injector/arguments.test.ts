import { describe, expect, it } from 'vitest'
import { readArguments } from './arguments.ts'

const needed = ['-vault-address=https://vault:8200', '-vault-image=coffer:1']

describe('what the injector is told', () => {
  it('has the defaults of the field', () => {
    expect(readArguments(needed, {})).toMatchObject({
      host: '::',
      port: 8080,
      logLevel: 'info',
      defaults: { authPath: 'auth/kubernetes', runAsUser: 100, setSecurityContext: true, caCertPem: '' },
    })
  })

  it('takes the variables of vault-k8s before its flags, unless they are empty', () => {
    const given = readArguments([...needed, '-listen=127.0.0.1:0', 'agent-inject', '2>&1'], {
      AGENT_INJECT_VAULT_ADDR: 'https://other:8200',
      AGENT_INJECT_LISTEN: '',
      AGENT_INJECT_MEM_LIMIT: '1Gi',
      AGENT_INJECT_SET_SECURITY_CONTEXT: 'false',
      AGENT_INJECT_VAULT_CACERT_BYTES: Buffer.from('-----BEGIN CERTIFICATE-----').toString('base64'),
    })
    expect(given).toMatchObject({
      host: '127.0.0.1',
      port: 0,
      defaults: { address: 'https://other:8200', setSecurityContext: false, caCertPem: '-----BEGIN CERTIFICATE-----' },
    })
    expect(given.defaults.resources.limits.memory).toBe('1Gi')
  })

  it('takes switches as Go does: without a value they are on, and the next word is not theirs', () => {
    const { defaults } = readArguments(['-revoke-on-shutdown', '-set-security-context=false', ...needed], {})
    expect(defaults).toMatchObject({ address: 'https://vault:8200', revokeOnShutdown: true, setSecurityContext: false })
  })

  it.each([
    [[...needed, '-default-template=yaml'], {}, '-default-template: want map or json'],
    [[...needed, '-log-format=xml'], {}, '-log-format=xml: want standard or json'],
    [[], {}, 'No Vault service configured'],
    [['-vault-address=x'], {}, 'No agent image configured'],
    [[...needed, '-cpu-limit=lots'], {}, '-cpu-limit: quantities must match'],
    [[...needed, '-auth-min-backoff=soon'], {}, '-auth-min-backoff: time: invalid duration'],
    [[...needed, '-listen=8080'], {}, 'want host:port'],
    [[...needed, 'serve'], {}, 'unknown argument: serve'],
    [needed, { AGENT_INJECT_TELEMETRY_PATH: '/metrics' }, 'AGENT_INJECT_TELEMETRY_PATH is not implemented'],
  ])('refuses %j %j', (argv, env, words) => {
    expect(() => readArguments(argv, env as Record<string, string>)).toThrow(words)
  })
})
