import { describe, expect, it } from 'vitest'
import { runFake } from './fake-context.ts'

const connected = async (env: Record<string, string>, ...flags: string[]) => {
  const { connected, status, err } = await runFake(['read', ...flags, 'a'], { env })
  return { ...connected[0], status, err }
}

describe('how the server is reached', () => {
  it('follows redirects unless the environment or a flag says no', async () => {
    expect((await connected({})).followRedirects).toBeUndefined()
    expect((await connected({ VAULT_DISABLE_REDIRECTS: 'true' })).followRedirects).toBe(false)
    expect(
      (await connected({ VAULT_DISABLE_REDIRECTS: '1' }, '-disable-redirects=false')).followRedirects,
    ).toBeUndefined()
    expect((await connected({}, '-disable-redirects')).followRedirects).toBe(false)
  })

  it('looks up SRV records only when told to', async () => {
    expect((await connected({})).resolveSrv).toBeUndefined()
    expect((await connected({ BAO_SRV_LOOKUP: 'true' })).resolveSrv).toBeTypeOf('function')
    expect((await connected({ VAULT_SRV_LOOKUP: 'perhaps' })).status).toBe(1)
  })

  it('goes through VAULT_PROXY_ADDR, before VAULT_HTTP_PROXY, before the proxy of the machine', async () => {
    const env = { VAULT_ADDR: 'https://vault.example:8200', HTTPS_PROXY: 'http://c:1' }
    expect((await connected({ ...env, VAULT_PROXY_ADDR: 'http://a:1', VAULT_HTTP_PROXY: 'http://b:1' })).proxy).toBe(
      'http://a:1',
    )
    expect((await connected({ ...env, VAULT_HTTP_PROXY: 'http://b:1' })).proxy).toBe('http://b:1')
    expect((await connected(env)).proxy).toBe('http://c:1')
    expect((await connected({ HTTP_PROXY: 'http://c:1' })).proxy).toBeUndefined()
  })

  it('sends the second factor of the environment or of the flags', async () => {
    const factor = async (env: Record<string, string>, ...flags: string[]) =>
      (await runFake(['read', ...flags, 'a'], { env })).requests[0]?.headers['X-Vault-MFA']
    expect(await factor({})).toBeUndefined()
    expect(await factor({ VAULT_MFA: 'totp:123456' })).toBe('totp:123456')
    expect(await factor({ VAULT_MFA: 'totp:1' }, '-mfa=totp:2', '-mfa=duo')).toBe('totp:2, duo')
  })

  it('refuses a rate that is none, before anything is sent', async () => {
    const { status, err, requests } = await runFake(['read', 'a'], { env: { VAULT_RATE_LIMIT: 'fast' } })
    expect([status, requests]).toEqual([1, []])
    expect(err).toContain('VAULT_RATE_LIMIT="fast" is no rate')
    expect((await runFake(['read', 'a'], { env: { VAULT_RATE_LIMIT: '10:20' } })).requests).toHaveLength(1)
  })
})
