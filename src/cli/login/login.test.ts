import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { envelopeOf } from '../../sdk/fake-transport.ts'
import type { TransportRequest } from '../../sdk/transport.ts'
import { runFake } from '../fake-context.ts'

const home = mkdtempSync(join(tmpdir(), 'coffer-login-'))
afterAll(() => rmSync(home, { recursive: true, force: true }))
const file = join(home, '.vault-token')
const env = { HOME: home }
beforeEach(() => rmSync(file, { force: true }))

const auth = (token: string) => envelopeOf({ auth: { client_token: token, accessor: 'a', policies: ['p'] } })
const method = { type: 'totp', id: 'id-1', uses_passcode: true, name: '' }
const factor = (...any: object[]) =>
  envelopeOf({
    auth: { client_token: '', mfa_requirement: { mfa_request_id: 'req-1', mfa_constraints: { rule: { any } } } },
  })

/** A terminal on which this is typed. */
function terminal(typed: string) {
  const stdin = Object.assign(new PassThrough(), { isTTY: true, isRaw: false, setRawMode: () => {} })
  stdin.write(typed)
  return stdin
}

describe('login by name and password', () => {
  it.each(['userpass', 'ldap', 'radius', 'okta'])('-method=%s asks for the password, hidden', async (name) => {
    const { status, out, err, requests } = await runFake(['login', `-method=${name}`, 'username=ada'], {
      env,
      stdin: terminal('canary-pw\r'),
      answer: () => auth('hvs.new'),
    })
    expect([status, err]).toEqual([0, 'Password (will be hidden): \n'])
    expect(requests[0]).toMatchObject({ path: `/v1/auth/${name}/login/ada`, body: '{"password":"canary-pw"}' })
    expect(out).not.toContain('canary-pw')
    expect(readFileSync(file, 'utf8')).toBe('hvs.new')
  })

  it('takes the password from stdin and the mount from -path', async () => {
    const argv = ['login', '-method=userpass', '-path=auth/team/', '-no-store', '-no-print', 'username=a', 'password=-']
    const { status, out, requests } = await runFake(argv, { env, stdin: 'pw', answer: () => auth('t') })
    expect([status, out]).toEqual([0, ''])
    expect(requests[0]).toMatchObject({ path: '/v1/auth/team/login/a', body: '{"password":"pw"}' })
    expect(existsSync(file)).toBe(false)
  })

  it.each([
    [['-method=userpass', 'password=x'], "'username' must be specified"],
    [['-method=userpass', 'username=a'], 'stdin is no terminal to ask on'],
    [['-method=oidc'], 'Unknown auth method: oidc. This command knows token, kubernetes, userpass'],
    [['-method=kubernetes', 'role=r'], 'needs role=<name> and jwt=@<file>'],
    [['-wrap-ttl=60', 't'], '-wrap-ttl is of no use'],
  ])('%j is wrong use: 1 and no request', async (argv, words) => {
    const { status, err, requests } = await runFake(['login', ...argv], { env })
    expect([status, requests]).toEqual([1, []])
    expect(err).toContain(words)
  })

  it('says what the server said when it refuses, and keeps nothing', async () => {
    const argv = ['login', '-method=userpass', 'username=a', 'password=canary-pw']
    const answer = () => ({ status: 400, body: '{"errors":["invalid username or password"]}' })
    const { status, err } = await runFake(argv, { env, answer })
    expect(status).toBe(2)
    expect(err).toContain('Error authenticating: Error making API request.')
    expect(err).toContain('* invalid username or password')
    expect(err).not.toContain('canary-pw')
    expect(existsSync(file)).toBe(false)
  })
})

describe('a login with a second factor', () => {
  const argv = ['login', '-method=userpass', 'username=ada', 'password=pw']
  const server =
    (...methods: object[]) =>
    ({ path }: TransportRequest) =>
      path === '/v1/sys/mfa/validate' ? auth('hvs.two') : factor(...methods)

  it('asks for the passcode and keeps the token', async () => {
    const { status, err, requests } = await runFake(argv, { env, stdin: terminal('123456\r'), answer: server(method) })
    expect(status).toBe(0)
    expect(err).toBe(
      'Initiating Interactive MFA Validation...\nEnter the passphrase for methodID "id-1" of type "totp": \n',
    )
    expect(requests[1]).toMatchObject({ body: '{"mfa_request_id":"req-1","mfa_payload":{"id-1":["123456"]}}' })
    expect(requests[1]?.headers['X-Vault-Token']).toBeUndefined()
    expect(readFileSync(file, 'utf8')).toBe('hvs.two')
  })

  it('waits without asking for a method that uses no passcode', async () => {
    const push = { ...method, type: 'duo', uses_passcode: false }
    const { status, requests } = await runFake(argv, { env, answer: server(push) })
    expect([status, requests[1]?.body]).toEqual([0, '{"mfa_request_id":"req-1","mfa_payload":{"id-1":[]}}'])
  })

  it.each([
    ['with a choice of methods', argv, [method, { ...method, id: 'id-2', name: 'other' }]],
    ['with -non-interactive', [...argv, '-non-interactive'], [method]],
  ])('%s shows what sys/mfa/validate needs', async (_, words, methods) => {
    const { status, out, err, requests } = await runFake(words, { env, answer: server(...methods) })
    expect([status, requests.length]).toEqual([0, 1])
    expect(err).toContain('subject to MFA validation')
    expect(out).toMatch(/^mfa_request_id +req-1$/m)
    expect(out).toMatch(/^mfa_constraint_rule_totp_id +id-1$/m)
    expect(out).not.toContain('token_accessor')
    expect(existsSync(file)).toBe(false)
  })

  it('keeps nothing when the passcode is wrong', async () => {
    const answer = ({ path }: TransportRequest) =>
      path === '/v1/sys/mfa/validate' ? { status: 403, body: '{"errors":["failed to validate"]}' } : factor(method)
    const { status, err } = await runFake(argv, { env, stdin: terminal('1\r'), answer })
    expect(status).toBe(2)
    expect(err).toContain('failed to validate')
    expect(existsSync(file)).toBe(false)
  })
})

describe('a login that is asked for wrapped', () => {
  const wrap = {
    token: 'hvs.wrap',
    accessor: 'wa',
    ttl: 60,
    creation_time: 'now',
    creation_path: 'auth/userpass/login/a',
  }
  const answer = ({ path }: TransportRequest) =>
    path === '/v1/sys/wrapping/unwrap' ? auth('hvs.inner') : envelopeOf({ wrap_info: wrap })
  const argv = ['login', '-method=userpass', '-wrap-ttl=60', 'username=a', 'password=pw']

  it('is opened and kept', async () => {
    const { status, requests } = await runFake(argv, { env, answer })
    expect(status).toBe(0)
    expect(requests[0]?.headers['X-Vault-Wrap-TTL']).toBe('60')
    expect(requests[1]?.headers['X-Vault-Token']).toBe('hvs.wrap')
    expect(readFileSync(file, 'utf8')).toBe('hvs.inner')
  })

  it('stays wrapped for whoever keeps nothing', async () => {
    const only = await runFake([...argv, '-token-only'], { env, answer })
    expect([only.out, only.requests.length]).toEqual(['hvs.wrap', 1])
    const shown = await runFake([...argv, '-no-store'], { env, answer })
    expect(shown.out).toMatch(/^wrapping_token +hvs\.wrap$/m)
    expect(existsSync(file)).toBe(false)
  })
})
