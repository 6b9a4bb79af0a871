import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FakeClock } from '../../../../lib/fake-clock.ts'
import { stringifyJson } from '../../../../lib/json/stringify.ts'
import type { JsonObject } from '../../../../lib/json/value.ts'
import { silentLog } from '../../../../lib/log.ts'
import { systemRandom } from '../../../../lib/random.ts'
import { hotp, stepAt } from '../../../../lib/totp.ts'
import { type Core, createCore } from '../../../../programs/server/core.ts'
import { startDev } from '../../../../programs/server/node/dev-mode.ts'
import type { AuthMethod, LoginGrant } from '../../../contracts/access/auth.ts'
import type { MountType } from '../../../contracts/mounted.ts'
import { operation, Refusal, type UserLockout } from '../../../contracts/request.ts'
import { inject } from '../../../http/handler.ts'
import { vaultTtl } from '../../../mounts/mount-json.ts'
import { openMemory } from '../../../storage/memory/memory.ts'

const grant: LoginGrant = {
  displayName: 'user',
  policies: ['p'],
  metadata: {},
  ttlMs: 3_600_000,
  maxTtlMs: 0,
  explicitMaxTtlMs: 0,
  periodMs: 0,
  numUses: 0,
  renewable: true,
  noDefaultPolicy: false,
  boundCidrs: [],
  tokenType: 'default',
  internal: {},
}

/** The entity alias of who logs in, for logins with a second factor. */
const second: { alias: () => string | undefined } = { alias: () => undefined }

/** What an authenticator app shows for a key. */
function passcode(url: string, now: number): string {
  const secret = new URL(url).searchParams.get('secret') ?? ''
  const bits = [...secret].map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0'))
  const key = (bits.join('').match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2))
  return hotp(Buffer.from(key), stepAt(now, 30), 'SHA1', 6)
}

/** What a login that takes its time waits for. */
const slow: { until: Promise<void> } = { until: Promise.resolve() }

/** Logs in whoever says the password "right"; the user's name is alias and role. */
const passwords: MountType<AuthMethod> = {
  type: 'passwords',
  class: 'auth',
  version: 'v1',
  create: () => ({
    identify: async ({ params }) => ({ alias: params['user'] ?? '', role: params['user'] ?? '' }),
    routes: [
      {
        path: 'login/{user}',
        summary: 'Logs in.',
        on: {
          update: operation({
            input: { password: { kind: 'string', description: 'p', default: '' } },
            access: 'public',
            handle: async ({ input }) => {
              if (input.password === 'slowly right') await slow.until
              if (input.password === 'slowly right') return { kind: 'login', grant }
              if (input.password === 'broken') throw new Error('the directory is down')
              if (input.password !== 'right') throw new Refusal(400, 'invalid username or password')
              const name = second.alias()
              return { kind: 'login', grant: name === undefined ? grant : { ...grant, alias: { name, metadata: {} } } }
            },
          }),
        },
      },
    ],
  }),
}

let core: Core
let clock: FakeClock
async function start(userLockout?: { stanzas?: Record<string, UserLockout>; disabled?: boolean }) {
  clock = new FakeClock()
  core = createCore({
    backend: openMemory({ clock, random: systemRandom }),
    types: {
      find: (name, mountClass) => (name === 'passwords' && mountClass === 'auth' ? { type: passwords } : undefined),
    },
    auditDevices: {},
    outbound: { request: async () => Promise.reject(new Error('no outbound')) },
    ttl: vaultTtl,
    clock,
    random: systemRandom,
    log: silentLog,
    version: '2.6.0',
    cofferVersion: '0.1.0',
    node: 'test',
    ...(userLockout ? { userLockout } : {}),
  })
  // The development mode also mounts a KV store, which this server has not.
  await startDev(core, { rootToken: 'root', host: '127.0.0.1', port: 0, storeToken: false }).catch(() => undefined)
  expect((await call('POST', 'sys/auth/passwords', { type: 'passwords' })).status).toBe(204)
}
beforeEach(() => start())
afterEach(() => {
  second.alias = () => undefined
  return core.close(0)
})

async function call(method: string, path: string, body?: JsonObject, token = 'root') {
  const answer = await inject(core.handler, {
    method,
    path: `/v1/${path}`,
    headers: token === '' ? {} : { 'X-Vault-Token': token },
    ...(body ? { body: stringifyJson(body) } : {}),
  })
  return {
    status: answer.status,
    headers: answer.headers,
    body: answer.body === '' ? undefined : JSON.parse(answer.body),
  }
}
const login = async (user: string, password: string) =>
  (await call('POST', `auth/passwords/login/${user}`, { password }, '')).status

describe('where a second factor is asked for', () => {
  it('a right password alone does not make up for failures, and a wrong passcode is none', async () => {
    second.alias = () => 'bob'
    const { body } = await call('POST', 'identity/mfa/method/totp', { issuer: 'i', enable_self_enrollment: true })
    const id = body.data.method_id
    const rule = { mfa_method_ids: [id], auth_method_types: ['passwords'] }
    await call('POST', 'identity/mfa/login-enforcement/all', rule)
    const ask = async () => {
      const answer = await call('POST', 'auth/passwords/login/bob', { password: 'right' }, '')
      return answer.body.auth?.mfa_requirement.mfa_request_id
    }
    const validate = (mfa_request_id: string, code: string) =>
      call('POST', 'sys/mfa/validate', { mfa_request_id, mfa_payload: { [id]: [code] } }, '')
    const enrol = async (mfa_request_id: string) => {
      const made = await call('POST', 'identity/mfa/method/totp/self-enroll', { mfa_request_id, mfa_method_id: id }, '')
      return passcode(made.body.data.url, clock.now())
    }
    for (let i = 0; i < 4; i += 1) await login('bob', 'wrong')
    const request = await ask()
    const code = await enrol(request)
    const wrong = String((Number(code) + 1) % 1e6).padStart(6, '0')
    for (let i = 0; i < 3; i += 1) expect((await validate(request, wrong)).status).toBe(403)
    expect(await ask()).toBeDefined()
    // The login as a whole makes up for them.
    expect((await validate(request, code)).status).toBe(200)
    for (let i = 0; i < 4; i += 1) await login('bob', 'wrong')
    expect(await ask()).toBeDefined()
    expect(await login('bob', 'wrong')).toBe(400)
    expect(await ask()).toBeUndefined()
  })
})

describe('a user who fails five times', () => {
  it('is refused also with the right password, until fifteen minutes later', async () => {
    for (let i = 0; i < 5; i += 1) expect(await login('bob', 'wrong')).toBe(400)
    const refused = await call('POST', 'auth/passwords/login/bob', { password: 'right' }, '')
    expect([refused.status, refused.body.errors]).toEqual([403, ['permission denied']])
    expect(await login('eve', 'right')).toBe(200)
    await clock.advance(15 * 60_000 + 2000)
    expect(await login('bob', 'right')).toBe(200)
  })

  it('is listed and can be unlocked', async () => {
    for (let i = 0; i < 5; i += 1) await login('bob', 'wrong')
    const { body } = await call('GET', 'sys/locked-users')
    const accessor = body.data.by_namespace[0].mount_accessors[0].mount_accessor
    expect(body.data).toEqual({
      by_namespace: [
        {
          namespace_id: 'root',
          namespace_path: '',
          counts: 1,
          mount_accessors: [{ mount_accessor: accessor, counts: 1, alias_identifiers: ['bob'] }],
        },
      ],
      total: 1,
    })
    expect((await call('POST', `sys/locked-users/${accessor}/unlock/bob`)).status).toBe(204)
    expect(await login('bob', 'right')).toBe(200)
    expect((await call('GET', 'sys/locked-users')).body.data.total).toBe(0)
  })

  it('is not locked by failures of the method itself', async () => {
    for (let i = 0; i < 6; i += 1) expect(await login('bob', 'broken')).toBe(500)
    expect(await login('bob', 'right')).toBe(200)
  })

  it('is only refused where the configuration says so', async () => {
    await core.close(0)
    await start({ stanzas: { passwords: { threshold: 2 } } })
    for (let i = 0; i < 2; i += 1) await login('bob', 'wrong')
    expect(await login('bob', 'right')).toBe(403)
    await core.close(0)
    await start({ disabled: true })
    for (let i = 0; i < 9; i += 1) await login('bob', 'wrong')
    expect(await login('bob', 'right')).toBe(200)
  })
})

it('the right one of many guesses at once does not count when the others lock the user', async () => {
  let finish = () => {}
  slow.until = new Promise((resolve) => {
    finish = resolve
  })
  const right = login('bob', 'slowly right')
  for (let i = 0; i < 5; i += 1) await login('bob', 'wrong')
  finish()
  expect(await right).toBe(403)
  expect((await call('GET', 'sys/locked-users')).body.data.total).toBe(1)
})

it('a name that the storage would refuse is answered by the method', async () => {
  const path = `auth/passwords/login/${'x'.repeat(5000)}`
  for (let i = 0; i < 6; i += 1) expect((await call('POST', path, { password: 'wrong' }, '')).status).toBe(400)
})

describe('the lockout of a mount', () => {
  const tune = (config: JsonObject) => call('POST', 'sys/auth/passwords/tune', { user_lockout_config: config })

  it('is tuned, and shown', async () => {
    expect((await tune({ lockout_threshold: '2', lockout_duration: '1m' })).status).toBe(204)
    expect((await tune({ lockout_counter_reset: 30 })).status).toBe(204)
    const shown = {
      user_lockout_counter_reset_duration: 30,
      user_lockout_disable: false,
      user_lockout_duration: 60,
      user_lockout_threshold: 2,
    }
    expect((await call('GET', 'sys/auth/passwords/tune')).body.data).toMatchObject(shown)
    expect((await call('GET', 'sys/auth/passwords')).body.data.config.user_lockout_config).toEqual(shown)
    for (let i = 0; i < 2; i += 1) await login('bob', 'wrong')
    expect(await login('bob', 'right')).toBe(403)
    await clock.advance(61_000)
    expect(await login('bob', 'right')).toBe(200)
    expect((await tune({ lockout_disable: true })).status).toBe(204)
    for (let i = 0; i < 9; i += 1) await login('bob', 'wrong')
    expect(await login('bob', 'right')).toBe(200)
  })

  it.each([
    [{ lockout_threshold: 0 }],
    [{ lockout_threshold: 'many' }],
    [{ lockout_duration: '-1m' }],
    [{ lockout_counter_reset: 'soon' }],
    [{ lockout_disable: 'perhaps' }],
    [{ threshold: 3 }],
  ])('is not tuned to %j', async (config) => {
    expect((await tune(config)).status).toBe(400)
  })
})

describe('quotas of logins', () => {
  it('limit the requests with one role', async () => {
    const quota = { path: 'auth/passwords', role: 'bob', rate: 2, interval: '1m' }
    expect((await call('POST', 'sys/quotas/rate-limit/bob', quota)).status).toBe(204)
    const statuses = []
    for (let i = 0; i < 3; i += 1) statuses.push(await login('bob', 'right'), await login('eve', 'right'))
    expect(statuses).toEqual([200, 200, 200, 200, 429, 200])
    expect((await call('GET', 'sys/quotas/rate-limit/bob')).body.data).toMatchObject({
      path: 'auth/passwords/',
      role: 'bob',
    })
  })

  it('limit how many tokens of the method there are', async () => {
    expect((await call('POST', 'sys/quotas/lease-count/three', { path: 'auth/passwords', max_leases: 3 })).status).toBe(
      204,
    )
    const answers = []
    for (let i = 0; i < 4; i += 1)
      answers.push(await call('POST', 'auth/passwords/login/bob', { password: 'right' }, ''))
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429])
    expect(answers[3]?.body.errors).toEqual(['request path "auth/passwords/login/bob": lease count quota exceeded'])
    await call('POST', 'auth/token/revoke', { token: answers[0]?.body.auth.client_token })
    expect(await login('bob', 'right')).toBe(200)
  })

  it('are not passed by many at once, and what was refused leaves no token', async () => {
    await call('POST', 'sys/quotas/lease-count/three', { path: 'auth/passwords', max_leases: 3 })
    const before = (await call('LIST', 'auth/token/accessors')).body.data.keys.length
    const statuses = await Promise.all(Array.from({ length: 12 }, () => login('bob', 'right')))
    const after = (await call('LIST', 'auth/token/accessors')).body.data.keys.length
    const made = statuses.filter((status) => status === 200).length
    expect(made).toBeLessThanOrEqual(3)
    expect(after - before).toBe(made)
    expect(new Set(statuses.filter((status) => status !== 200))).toEqual(new Set([429]))
  })
})
