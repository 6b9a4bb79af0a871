import { PassThrough } from 'node:stream'
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

  it('waits as long as it is told to, however long that is', async () => {
    expect((await connected({ VAULT_CLIENT_TIMEOUT: '5m' })).timeoutMs).toBe(300_000)
    expect((await connected({ VAULT_CLIENT_TIMEOUT: '0' })).timeoutMs).toBe(60_000)
    expect((await connected({ VAULT_CLIENT_TIMEOUT: '1000h' })).timeoutMs).toBe(2_147_483_647)
  })

  it('names the address in errors, and never a password in it', async () => {
    const { err } = await runFake(['read', 'a'], {
      env: { VAULT_ADDR: 'http://ada:canary-pw@a:1' },
      answer: () => ({ status: 403, body: '{"errors":["permission denied"]}' }),
    })
    expect(err).toContain('URL: GET http://ada:***@a:1/v1/a\n')
  })

  it('refuses a rate that is none, before anything is sent', async () => {
    const { status, err, requests } = await runFake(['read', 'a'], { env: { VAULT_RATE_LIMIT: 'fast' } })
    expect([status, requests]).toEqual([1, []])
    expect(err).toContain('VAULT_RATE_LIMIT="fast" is no rate')
    expect((await runFake(['read', 'a'], { env: { VAULT_RATE_LIMIT: '10:20' } })).requests).toHaveLength(1)
  })
})

describe('what goes with each request', () => {
  it('has the headers of -header, but none that another flag sets', async () => {
    const { requests } = await runFake(['read', '-header=X-Trace=1=2', '-header', 'B=c', 'a'])
    expect(requests[0]?.headers).toMatchObject({ 'X-Trace': '1=2', B: 'c' })
    const refused = await runFake(['read', '-header=x-vault-token=t', 'a'])
    expect([refused.status, refused.requests]).toEqual([2, []])
    expect(refused.err).toContain("Headers[x-vault-token]: Header starting by 'X-Vault-' are for internal usage only")
  })

  it('asks to pass over soft-mandatory policies with -policy-override', async () => {
    const { requests } = await runFake(['read', '-policy-override', 'a'])
    expect(requests[0]?.headers).toMatchObject({ 'X-Vault-Policy-Override': 'true' })
  })

  it('is never asked for on the terminal with -non-interactive', async () => {
    const stdin = Object.assign(new PassThrough(), { isTTY: true, isRaw: false, setRawMode: () => {} })
    stdin.write('typed\r')
    const { status, err, requests } = await runFake(['login', '-non-interactive'], { stdin })
    expect([status, requests]).toEqual([1, []])
    expect(err).toContain('-non-interactive asks for nothing: give "-" and the token on stdin')
  })
})
