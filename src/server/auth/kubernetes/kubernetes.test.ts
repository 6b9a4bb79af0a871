import { generateKeyPairSync } from 'node:crypto'
import { SignJWT } from 'jose'
import { beforeEach, describe, expect, it } from 'vitest'
import { FakeClock } from '../../../lib/fake-clock.ts'
import type { JsonObject } from '../../../lib/json/value.ts'
import { type Logger, silentLog } from '../../../lib/log.ts'
import type { OutboundAnswer, OutboundCall } from '../../../lib/outbound/outbound.ts'
import { systemRandom } from '../../../lib/random.ts'
import { createCa } from '../../../lib/x509/certificates.ts'
import { rootNamespace } from '../../contracts/epochs.ts'
import { fakeMount, runOperation } from '../../contracts/fake-call.ts'
import { FakeRows } from '../../contracts/fake-rows.ts'
import type { Verb } from '../../contracts/request.ts'
import { kubernetesAuth } from './kubernetes.ts'

const now = Date.UTC(2026, 10, 20)
const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const otherKeys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const publicPem = keys.publicKey.export({ type: 'spki', format: 'pem' }).toString()
const caPem = createCa({ commonName: 'ca', random: systemRandom, now, validForMs: 3_600_000 }).certPem

interface Account {
  name: string
  namespace: string
  uid: string
}
const myApp: Account = { name: 'my-app', namespace: 'default', uid: 'uid-1' }
const nested = ({ name, namespace, uid }: Account) => ({
  'kubernetes.io': { namespace, serviceaccount: { name, uid } },
})
const sign = (claims: object, audience: string[] = ['https://kubernetes.default.svc'], key = keys.privateKey) =>
  new SignJWT({ ...claims })
    .setProtectedHeader({ alg: 'ES256' })
    .setAudience(audience)
    .setIssuer('https://kubernetes.default.svc')
    .setExpirationTime(now / 1000 + 3600)
    .sign(key)
const jwtOf = (account: Account, audience?: string[]) => sign(nested(account), audience)

/** A cluster that knows some tokens, and what it was asked. */
class FakeCluster {
  readonly asked: OutboundCall[] = []
  readonly accounts = new Map<string, Account>()
  readonly labels = new Map<string, Record<string, string>>()
  answer: ((request: OutboundCall) => OutboundAnswer | Error | undefined) | undefined

  async request(request: OutboundCall): Promise<OutboundAnswer> {
    this.asked.push(request)
    const special = this.answer?.(request)
    if (special instanceof Error) throw special
    if (special) return special
    const namespace = /\/api\/v1\/namespaces\/(.+)$/.exec(request.url)?.[1]
    if (namespace) {
      const labels = this.labels.get(namespace)
      return labels ? reply(200, { metadata: { name: namespace, labels } }) : reply(403, {})
    }
    const { spec } = JSON.parse(request.body ?? '{}')
    const account = this.accounts.get(spec.token)
    if (!account) return reply(201, { status: { authenticated: false, error: 'invalid bearer token' } })
    const username = `system:serviceaccount:${account.namespace}:${account.name}`
    return reply(201, {
      status: { authenticated: true, user: { username, uid: account.uid }, audiences: spec.audiences },
    })
  }

  get bearer() {
    return this.asked.at(-1)?.headers?.['authorization']
  }
}
const reply = (status: number, body: object): OutboundAnswer => ({ status, headers: {}, body: JSON.stringify(body) })

const setUp = (local: Record<string, string> = {}) => {
  const rows = new FakeRows()
  const clock = new FakeClock(now)
  const cluster = new FakeCluster()
  const logged: string[] = []
  const log: Logger = { ...silentLog, warn: (event, fields) => logged.push(JSON.stringify({ event, ...fields })) }
  const mount = fakeMount({ path: 'auth/kubernetes/', class: 'auth', type: 'kubernetes' })
  const storage = rows.view('mount/k/')
  const reads: string[] = []
  const readLocal = async (file: string) => {
    reads.push(file)
    return local[file]
  }
  const events = { listened: false, publish() {} }
  const method = kubernetesAuth({ readLocal }).create({
    namespace: rootNamespace,
    mount,
    storage,
    clock,
    random: systemRandom,
    log,
    outbound: cluster,
    events,
  })
  const call = (verb: Verb, path: string, input: JsonObject = {}, name = '') => {
    const route = method.routes.find((r) => r.path === path)
    if (!route) throw new Error(`no route ${path}`)
    return runOperation(route, verb, { storage, mount, now: clock.now(), input, params: { name } })
  }
  const configure = (more: JsonObject = {}) =>
    call('update', 'config', {
      kubernetes_host: 'https://192.0.2.1:6443/',
      kubernetes_ca_cert: caPem,
      token_reviewer_jwt: 'reviewer',
      disable_local_ca_jwt: true,
      ...more,
    })
  const role = (input: JsonObject = {}, name = 'my-app-role') =>
    call(
      'update',
      'role/{name}',
      {
        bound_service_account_names: ['my-app'],
        bound_service_account_namespaces: ['default'],
        token_policies: ['app'],
        token_ttl: 3_600_000,
        ...input,
      },
      name,
    )
  const readRole = async (name = 'my-app-role') => {
    const found = await call('read', 'role/{name}', {}, name)
    return found.kind === 'data' ? found.data : undefined
  }
  const login = async (jwt: string, name = 'my-app-role') => {
    const answer = await call('update', 'login', { role: name, jwt })
    if (answer.kind !== 'login') throw new Error(answer.kind)
    return answer.grant
  }
  return { rows, clock, cluster, method, call, configure, role, readRole, login, logged, reads }
}
const refused = (status: number, message: string) => ({ status, message })

describe('config', () => {
  it('is answered without the reviewer token, which is only said to be there', async () => {
    const { call, configure } = setUp()
    expect(await call('read', 'config')).toEqual({ kind: 'none' })
    await configure({ token_reviewer_jwt: 'canary' })
    const answer = await call('read', 'config')
    expect(answer).toEqual({
      kind: 'data',
      data: {
        disable_iss_validation: true,
        disable_local_ca_jwt: true,
        issuer: '',
        kubernetes_ca_cert: caPem,
        kubernetes_host: 'https://192.0.2.1:6443/',
        pem_keys: [],
        token_reviewer_jwt_set: true,
      },
    })
    expect(JSON.stringify(answer)).not.toContain('canary')
  })

  it.each([
    [{}, 'no host provided'],
    [
      { kubernetes_host: 'https://x', disable_local_ca_jwt: true },
      'kubernetes_ca_cert must be given when disable_local_ca_jwt is true',
    ],
    [{ kubernetes_host: 'x:6443' }, 'kubernetes_host must be a URL such as https://192.0.2.1:6443'],
    [{ kubernetes_host: 'https://x', kubernetes_ca_cert: 'junk' }, 'kubernetes_ca_cert is not a PEM certificate'],
    [{ kubernetes_host: 'https://x', pem_keys: ['junk'] }, 'pem_keys must be PEM public keys or certificates'],
  ])('%j is refused and changes nothing', async (input, message) => {
    const { rows, call } = setUp()
    await expect(call('update', 'config', input)).rejects.toMatchObject(refused(400, message))
    expect(rows.rows.size).toBe(0)
  })
})

describe('roles', () => {
  it('are read back as they were written, in seconds', async () => {
    const { role, readRole, call } = setUp()
    await role()
    expect(await readRole()).toEqual({
      alias_name_source: 'serviceaccount_uid',
      bound_service_account_names: ['my-app'],
      bound_service_account_namespace_selector: '',
      bound_service_account_namespaces: ['default'],
      token_bound_cidrs: [],
      token_explicit_max_ttl: 0,
      token_max_ttl: 0,
      token_no_default_policy: false,
      token_num_uses: 0,
      token_period: 0,
      token_policies: ['app'],
      token_strictly_bind_ip: false,
      token_ttl: 3600,
      token_type: 'default',
    })
    await role(
      { audience: 'vault', policies: ['B', 'a'], ttl: 300_000, token_policies: undefined, token_ttl: undefined },
      'Old',
    )
    expect(await readRole('old')).toMatchObject({
      audience: 'vault',
      policies: ['a', 'b'],
      token_policies: ['a', 'b'],
      ttl: 300,
      token_ttl: 300,
    })
    expect(await call('list', 'role')).toEqual({ kind: 'data', data: { keys: ['my-app-role', 'old'] } })
    await call('delete', 'role/{name}', {}, 'OLD')
    expect(await readRole('old')).toBeUndefined()
  })

  it('change only in what is sent; a newer name replaces the older', async () => {
    const { role, call, readRole } = setUp()
    await role({ ttl: 60_000, token_ttl: undefined })
    await call('update', 'role/{name}', { token_ttl: 120_000 }, 'my-app-role')
    const found = await readRole()
    expect(found).toMatchObject({ token_ttl: 120, token_policies: ['app'], bound_service_account_names: ['my-app'] })
    expect(found).not.toHaveProperty('ttl')
  })

  it.each([
    [{ bound_service_account_names: ['*', 'a'] }, 'can not mix "*" with values'],
    [{ bound_service_account_namespaces: ['a', '*'] }, 'can not mix "*" with values'],
    [{ bound_service_account_names: [] }, '"bound_service_account_names" can not be empty'],
    [
      { bound_service_account_namespaces: [] },
      '"bound_service_account_namespaces" can not be empty if "bound_service_account_namespace_selector" is not set',
    ],
    [
      { alias_name_source: 'x' },
      'invalid alias_name_source "x", must be one of: serviceaccount_uid, serviceaccount_name',
    ],
    [{ token_type: 'x' }, 'invalid \'token_type\' value "x"'],
    [{ token_max_ttl: 1000 }, "'token_ttl' cannot be greater than 'token_max_ttl'"],
    [{ token_bound_cidrs: ['10.0.0.0/33'] }, 'error parsing bound_cidrs: "10.0.0.0/33" is no address or CIDR'],
    [
      { token_type: 'batch', token_period: 1000 },
      "'token_type' cannot be 'batch' or 'default_batch' when set to generate periodic tokens",
    ],
    [{ token_strictly_bind_ip: true }, 'token_strictly_bind_ip is not supported by this server'],
    [
      { bound_service_account_namespace_selector: 'a: [' },
      'failed to parse "bound_service_account_namespace_selector" as k8s.io/api/meta/v1/LabelSelector object',
    ],
    [
      { bound_service_account_namespace_selector: '{}' },
      'failed to parse "bound_service_account_namespace_selector" as k8s.io/api/meta/v1/LabelSelector object',
    ],
  ])('%j is refused', async (input, message) => {
    const { rows, role } = setUp()
    await expect(role(input)).rejects.toMatchObject(refused(400, message))
    expect(rows.rows.size).toBe(0)
  })
})

describe('login', () => {
  let kit: ReturnType<typeof setUp>
  let jwt: string
  beforeEach(async () => {
    kit = setUp()
    jwt = await jwtOf(myApp)
    kit.cluster.accounts.set(jwt, myApp)
    await kit.configure()
    await kit.role()
  })

  it('grants what the role says to the account that the cluster confirmed', async () => {
    const metadata = {
      role: 'my-app-role',
      service_account_name: 'my-app',
      service_account_namespace: 'default',
      service_account_secret_name: '',
      service_account_uid: 'uid-1',
    }
    expect(await kit.login(jwt)).toEqual({
      displayName: 'default-my-app',
      metadata,
      alias: { name: 'uid-1', metadata },
      policies: ['app'],
      ttlMs: 3_600_000,
      maxTtlMs: 0,
      explicitMaxTtlMs: 0,
      periodMs: 0,
      numUses: 0,
      noDefaultPolicy: false,
      boundCidrs: [],
      tokenType: 'default',
      renewable: true,
      internal: { role: 'my-app-role' },
    })
    const [review] = kit.cluster.asked
    expect(review).toMatchObject({
      url: 'https://192.0.2.1:6443/apis/authentication.k8s.io/v1/tokenreviews',
      method: 'POST',
      ca: caPem,
      headers: { authorization: 'Bearer reviewer' },
    })
    expect(JSON.parse(review?.body ?? '')).toEqual({
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      spec: { token: jwt, audiences: ['https://kubernetes.default.svc'] },
    })
  })

  it('needs no token of this server', () => {
    expect(kit.method.routes.find((r) => r.path === 'login')?.on.update).toMatchObject({
      access: 'public',
      effect: 'storage',
    })
  })

  it('names what is missing, in the order of Vault', async () => {
    await expect(kit.call('update', 'login', { jwt })).rejects.toMatchObject(refused(400, 'missing role'))
    await expect(kit.call('update', 'login', { role: 'x' })).rejects.toMatchObject(refused(400, 'missing jwt'))
    await expect(kit.login('y', 'none')).rejects.toMatchObject(refused(400, 'invalid role name "none"'))
    const bare = setUp()
    await bare.role()
    await expect(bare.login(jwt)).rejects.toMatchObject(refused(400, 'could not load backend configuration'))
  })

  it.each(['a.b.c', 'x', 'a.b', '..', '...'])('%j is denied without asking the cluster', async (text) => {
    await expect(kit.login(text)).rejects.toMatchObject(refused(403, 'permission denied'))
    expect(kit.cluster.asked).toEqual([])
  })

  it('is denied when the cluster does not know the token', async () => {
    await expect(kit.login(`${jwt}x`)).rejects.toMatchObject(refused(403, 'permission denied'))
    expect(kit.logged.join('')).toContain('login_refused')
    expect(kit.logged.join('')).not.toContain(jwt)
  })

  it('is denied when the token has run out', async () => {
    await kit.clock.advance(3_600_000 + 61_000)
    await expect(kit.login(jwt)).rejects.toMatchObject(refused(403, 'permission denied'))
  })

  it.each([
    ['name', { ...myApp, name: 'other' }],
    ['namespace', { ...myApp, namespace: 'other' }],
    ['uid', { ...myApp, uid: 'other' }],
  ])('is denied when the cluster names another %s than the token', async (_, account) => {
    kit.cluster.accounts.set(jwt, account)
    await expect(kit.login(jwt)).rejects.toMatchObject(refused(403, 'permission denied'))
  })

  it('is for the accounts and namespaces of the role only', async () => {
    const wrongName = await jwtOf({ ...myApp, name: 'other' })
    const wrongNamespace = await jwtOf({ ...myApp, namespace: 'kube-system' })
    await expect(kit.login(wrongName)).rejects.toMatchObject(refused(403, 'service account name not authorized'))
    await expect(kit.login(wrongNamespace)).rejects.toMatchObject(refused(403, 'namespace not authorized'))
    expect(kit.cluster.asked).toEqual([])
  })

  it.each([
    ['my-*', 'my-app', true],
    ['my-*', 'my-', true],
    ['*', 'anything', true],
    ['*-app', 'my-app', true],
    ['m*-*p', 'my-app', true],
    ['a*a', 'a', false],
    ['my-*', 'your-app', false],
    ['my-app', 'my-app2', false],
  ])('glob %s and %s: %s', async (glob, name, allowed) => {
    const account = { ...myApp, name }
    const token = await jwtOf(account)
    kit.cluster.accounts.set(token, account)
    await kit.role({ bound_service_account_names: [glob] })
    const outcome = kit.login(token)
    if (allowed) await outcome
    else await expect(outcome).rejects.toMatchObject(refused(403, 'service account name not authorized'))
  })

  it('wants the audience of the role in the token and from the cluster', async () => {
    await kit.role({ audience: 'vault', alias_name_source: 'serviceaccount_name' })
    await expect(kit.login(jwt)).rejects.toMatchObject(
      refused(403, 'invalid audience (aud) claim: audience claim does not match any expected audience'),
    )
    const forVault = await jwtOf(myApp, ['vault', 'other'])
    kit.cluster.accounts.set(forVault, myApp)
    expect((await kit.login(forVault)).alias?.name).toBe('default/my-app')
    expect(JSON.parse(kit.cluster.asked.at(-1)?.body ?? '').spec.audiences).toEqual(['vault'])
    kit.cluster.answer = () =>
      reply(201, {
        status: {
          authenticated: true,
          user: { username: 'system:serviceaccount:default:my-app', uid: 'uid-1' },
          audiences: ['other'],
        },
      })
    await expect(kit.login(forVault)).rejects.toMatchObject(refused(403, 'permission denied'))
  })

  it('understands tokens from Secrets', async () => {
    const flat = await sign({
      'kubernetes.io/serviceaccount/namespace': 'default',
      'kubernetes.io/serviceaccount/service-account.name': 'my-app',
      'kubernetes.io/serviceaccount/service-account.uid': 'uid-1',
      'kubernetes.io/serviceaccount/secret.name': 'my-app-token',
    })
    kit.cluster.accounts.set(flat, myApp)
    expect((await kit.login(flat)).metadata['service_account_secret_name']).toBe('my-app-token')
  })

  it('checks signatures here when it has keys, and still asks the cluster', async () => {
    await kit.configure({ pem_keys: [publicPem] })
    await kit.login(jwt)
    expect(kit.cluster.asked).toHaveLength(1)
    const forged = await sign(nested(myApp), undefined, otherKeys.privateKey)
    kit.cluster.accounts.set(forged, myApp)
    await expect(kit.login(forged)).rejects.toMatchObject(refused(403, 'permission denied'))
    expect(kit.cluster.asked).toHaveLength(1)
  })

  it('checks the issuer when told to', async () => {
    await kit.configure({ disable_iss_validation: false, issuer: 'https://kubernetes.default.svc' })
    await kit.login(jwt)
    await kit.configure({ disable_iss_validation: false })
    await expect(kit.login(jwt)).rejects.toMatchObject(refused(403, 'invalid issuer (iss) claim'))
  })

  it('only comes from where the role allows', async () => {
    await kit.role({ token_bound_cidrs: ['10.0.0.0/8'] })
    await expect(kit.login(jwt)).rejects.toMatchObject(refused(403, 'permission denied'))
    await kit.role({ token_bound_cidrs: ['127.0.0.0/8'] })
    expect((await kit.login(jwt)).boundCidrs).toEqual(['127.0.0.0/8'])
  })

  it('a namespace may also be chosen by its labels', async () => {
    const selector = 'matchLabels: {team: a}\nmatchExpressions: [{key: env, operator: NotIn, values: [prod]}]'
    await kit.role({ bound_service_account_namespaces: ['x'], bound_service_account_namespace_selector: selector })
    await expect(kit.login(jwt), 'not readable').rejects.toMatchObject(refused(403, 'namespace not authorized'))
    kit.cluster.labels.set('default', { team: 'a', env: 'test' })
    await kit.login(jwt)
    kit.cluster.labels.set('default', { team: 'a', env: 'prod' })
    await expect(kit.login(jwt)).rejects.toMatchObject(refused(403, 'namespace not authorized'))
  })

  it('a denied reviewer is a denial with a hint in the log', async () => {
    kit.cluster.answer = () => reply(403, {})
    await expect(kit.login(jwt)).rejects.toMatchObject(refused(403, 'permission denied'))
    expect(kit.logged.join('')).toContain('system:auth-delegator')
  })

  it.each([
    ['does not answer', () => Object.assign(new Error('ECONNREFUSED'), { kind: 'unreachable' })],
    ['is in trouble', () => reply(500, {})],
    ['is overloaded', () => reply(429, {})],
  ])('a cluster that %s is an outage, not a denial', async (_, answer) => {
    kit.cluster.answer = answer
    await expect(kit.login(jwt)).rejects.toMatchObject({ status: 503 })
  })

  it('asks once more when a connection was cut', async () => {
    let cut = false
    kit.cluster.answer = () => {
      if (cut) return undefined
      cut = true
      return Object.assign(new Error('ECONNRESET'), { kind: 'unreachable' })
    }
    await kit.login(jwt)
    expect(kit.cluster.asked).toHaveLength(2)
  })
})

describe('the reviewer', () => {
  const open = { token_reviewer_jwt: '', disable_local_ca_jwt: false, kubernetes_ca_cert: '' }
  const logInWith = async (local: Record<string, string>, config: JsonObject) => {
    const kit = setUp(local)
    const jwt = await jwtOf(myApp)
    kit.cluster.accounts.set(jwt, myApp)
    await kit.configure(config)
    await kit.role()
    await kit.login(jwt)
    return { ...kit, jwt }
  }

  it('is the configured one', async () => {
    expect((await logInWith({ token: 'pod' }, { ...open, token_reviewer_jwt: 'configured\n' })).cluster.bearer).toBe(
      'Bearer configured',
    )
  })

  it('else the pod of this server, whose files are read again as they rotate', async () => {
    const local: Record<string, string> = { token: 'pod-1\n', 'ca.crt': caPem }
    const { cluster, login, jwt, clock, reads } = await logInWith(local, open)
    expect(cluster.bearer).toBe('Bearer pod-1')
    expect(cluster.asked[0]?.ca).toBe(caPem.trim())
    local['token'] = 'pod-2'
    await clock.advance(59_000)
    await login(jwt)
    expect(cluster.bearer).toBe('Bearer pod-1')
    await clock.advance(1_000)
    await login(jwt)
    expect(cluster.bearer).toBe('Bearer pod-2')
    expect(reads.filter((file) => file === 'ca.crt')).toHaveLength(1)
  })

  it('else the token that logs in', async () => {
    const { cluster, jwt } = await logInWith({}, open)
    expect(cluster.bearer).toBe(`Bearer ${jwt}`)
    expect(cluster.asked[0]?.ca).toBeUndefined()
  })

  it('never the pod when that is forbidden', async () => {
    const { cluster, jwt, reads } = await logInWith({ token: 'pod', 'ca.crt': caPem }, { token_reviewer_jwt: '' })
    expect(cluster.bearer).toBe(`Bearer ${jwt}`)
    expect(reads).toEqual([])
  })
})

it('a renewal follows the role as it is now, and fails without it', async () => {
  const { configure, role, login, cluster, method, call } = setUp()
  const jwt = await jwtOf(myApp)
  cluster.accounts.set(jwt, myApp)
  await configure()
  await role()
  const grant = await login(jwt)
  await role({ token_ttl: 60_000, token_max_ttl: 120_000, token_policies: ['other'] })
  expect(await method.renew?.(grant)).toEqual({ ...grant, ttlMs: 60_000, maxTtlMs: 120_000 })
  await call('delete', 'role/{name}', {}, 'my-app-role')
  await expect(method.renew?.(grant)).rejects.toMatchObject(
    refused(400, 'failed to validate role my-app-role during renewal'),
  )
})

it('says who would log in without asking anybody', async () => {
  const { configure, role, method, cluster, rows } = setUp()
  await configure()
  await role()
  const storage = rows.view('mount/k/')
  const input = { role: 'my-app-role', jwt: await jwtOf(myApp) }
  expect(await method.identify?.({ input, storage } as never)).toEqual({ role: 'my-app-role', alias: 'uid-1' })
  expect(cluster.asked).toEqual([])
})
