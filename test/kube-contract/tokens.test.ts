import { createPublicKey, verify } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import { type Answer, type Cluster, eventually, onlyEmbedded, onReal, openCluster, pod } from './cluster.ts'

let cluster: Cluster
let namespace: string
let aheadMs = 0
beforeAll(async () => {
  cluster = await openCluster({ clock: { ...systemClock, now: () => Date.now() + aheadMs } })
  namespace = await cluster.namespace()
})
afterAll(() => cluster.close())

const accounts = () => `/api/v1/namespaces/${namespace}/serviceaccounts`
const request = (spec: object) => ({ apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec })
const ask = (account: string, spec: object = {}) => cluster.post(`${accounts()}/${account}/token`, request(spec))
const review = async (token: string, audiences?: string[], as?: string): Promise<Answer> => {
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token, audiences } }
  const headers: Record<string, string> = as ? { authorization: `Bearer ${as}` } : {}
  return cluster.post('/apis/authentication.k8s.io/v1/tokenreviews', body, { headers })
}
const account = (name: string) =>
  cluster.post(accounts(), { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name } })
const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())

describe('a requested token', () => {
  it('says whose it is, for whom and until when', async () => {
    await account('app')
    const made = (
      await cluster.post(`/api/v1/namespaces/${namespace}/pods`, pod('owner', { serviceAccountName: 'app' }))
    ).body
    const { status, body } = await ask('app', {
      audiences: ['vault'],
      expirationSeconds: 900,
      boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'owner', uid: made.metadata.uid },
    })
    expect(status).toBe(201)
    const claims = claimsOf(body.status.token)
    expect(claims).toMatchObject({
      aud: ['vault'],
      sub: `system:serviceaccount:${namespace}:app`,
      'kubernetes.io': {
        namespace,
        serviceaccount: { name: 'app', uid: expect.any(String) },
        pod: { name: 'owner', uid: made.metadata.uid },
      },
      jti: expect.any(String),
    })
    expect(claims.exp - claims.iat).toBe(900)
    expect(Date.parse(body.status.expirationTimestamp)).toBe(claims.exp * 1000)
  })

  it('is signed by the key that service accounts find published', async () => {
    const { token } = (await ask('default')).body.status
    const headers = { authorization: `Bearer ${token}` }
    const [head = '', payload = '', signature = ''] = token.split('.')
    const kid = JSON.parse(Buffer.from(head, 'base64url').toString()).kid
    const keys = (await cluster.get('/openid/v1/jwks', { headers })).body.keys
    const key = createPublicKey({ key: keys.find((k: Answer) => k.kid === kid), format: 'jwk' })
    const signed = Buffer.from(`${head}.${payload}`)
    const good = verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url'))
    expect(good).toBe(true)
    const found = await cluster.get('/.well-known/openid-configuration', { headers })
    expect(found.body.issuer).toBe(claimsOf(token).iss)
    expect([401, 403]).toContain((await cluster.get('/openid/v1/jwks', { headers: { authorization: '' } })).status)
  })

  it.each([
    [{ expirationSeconds: 10 }, 422, 'may not specify a duration less than 10 minutes'],
    [{ boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'nobody' } }, 404, 'pods "nobody" not found'],
    [{ boundObjectRef: { kind: 'ConfigMap', apiVersion: 'v1', name: 'x' } }, 400, 'cannot bind token'],
  ])('%o is refused', async (spec, status, message) => {
    const answer = await ask('default', spec)
    expect(answer.status).toBe(status)
    expect(answer.body.message).toContain(message)
  })

  it('is not bound to another account’s pod or to a pod that was replaced', async () => {
    await cluster.post(`/api/v1/namespaces/${namespace}/pods`, pod('others'))
    const ref = { kind: 'Pod', apiVersion: 'v1', name: 'others' }
    await account('app2')
    expect((await ask('app2', { boundObjectRef: ref })).status).toBe(400)
    expect((await ask('default', { boundObjectRef: { ...ref, uid: 'other' } })).status).toBe(409)
  })
})

describe('a token review', () => {
  it('names the account and its pod', async () => {
    await account('seen')
    const made = (
      await cluster.post(`/api/v1/namespaces/${namespace}/pods`, pod('seer', { serviceAccountName: 'seen' }))
    ).body
    const bound = { boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'seer' } }
    const { token } = (await ask('seen', bound)).body.status
    const { status, body } = await review(token)
    expect(status).toBe(201)
    expect(body.status).toMatchObject({
      authenticated: true,
      user: {
        username: `system:serviceaccount:${namespace}:seen`,
        groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
        extra: {
          'authentication.kubernetes.io/pod-name': ['seer'],
          'authentication.kubernetes.io/pod-uid': [made.metadata.uid],
        },
      },
    })
  })

  it('of another audience, an altered signature or nonsense says no', async () => {
    const { token } = (await ask('default', { audiences: ['vault'] })).body.status
    expect((await review(token, ['vault', 'other'])).body.status).toMatchObject({
      authenticated: true,
      audiences: ['vault'],
    })
    const wrong = (await review(token)).body.status
    expect(wrong.authenticated).toBeUndefined()
    expect(wrong.error).toMatch(
      /^\[invalid bearer token, token audiences \["vault"\] is invalid for the target audiences \[/,
    )
    const altered = `${token.slice(0, -8)}AAAAAAAA`
    expect((await review(altered, ['vault'])).body.status.authenticated).toBeUndefined()
    expect((await review('nonsense')).body.status.error).toBe('invalid bearer token')
  })

  it('of a token that ran out says so', async (test) => {
    onlyEmbedded(test, 'its clock cannot be moved, and its tokens live ten minutes at least')
    const { token } = (await ask('default', { expirationSeconds: 600 })).body.status
    aheadMs = 650_000
    expect((await review(token)).body.status.authenticated).toBe(true)
    aheadMs = 661_000
    const { error } = (await review(token)).body.status
    aheadMs = 0
    expect(error).toBe('[invalid bearer token, service account token has expired]')
  })

  it('dies with the pod and with the account, also when others take their names', async () => {
    await account('mortal')
    const pods = `/api/v1/namespaces/${namespace}/pods`
    await cluster.post(pods, pod('brief', { serviceAccountName: 'mortal' }))
    const bound = { boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'brief' } }
    const { token } = (await ask('mortal', bound)).body.status
    const loose = (await ask('mortal')).body.status.token
    await cluster.delete(`${pods}/brief`)
    expect((await review(token)).body.status.error).toContain('service account token has been invalidated')
    await cluster.post(pods, pod('brief', { serviceAccountName: 'mortal' }))
    expect((await review(token)).body.status.error).toMatch(
      /pod UID \(.*\) does not match service account pod ref claim/,
    )
    await cluster.delete(`${accounts()}/mortal`)
    expect((await review(loose)).body.status.error).toContain(`serviceaccounts "mortal" not found`)
    await account('mortal')
    expect((await review(loose)).body.status.error).toMatch(/service account UID \(.*\) does not match claim/)
  })
})

describe('rights', () => {
  const secretsAs = (token: string) =>
    cluster.get(`/api/v1/namespaces/${namespace}/secrets`, { headers: { authorization: `Bearer ${token}` } })

  it('without credentials there are none', async () => {
    const as = (path: string, authorization: string) => cluster.get(path, { headers: { authorization } })
    // Anonymous requests: a real API server refuses them as system:anonymous unless it is told to take none.
    const refused = onReal ? [403, 'Forbidden'] : [401, 'Unauthorized']
    for (const authorization of ['', 'Basic YTpi', 'Bearer', 'Bearer ']) {
      const { status, body } = await as('/api/v1/namespaces', authorization)
      expect([status, body.reason]).toEqual(refused)
      expect((await as('/healthz', authorization)).text).toBe('ok')
      expect((await as('/version', authorization)).status).toBe(200)
    }
  })

  it('with a token that is none there is not even the health', async () => {
    for (const path of ['/healthz', '/api/v1/namespaces', '/nothing']) {
      const { status, body } = await cluster.get(path, { headers: { authorization: 'Bearer nonsense' } })
      expect([status, body.message]).toEqual([401, 'Unauthorized'])
    }
  })

  it('a service account has those that a role gives it, where it gives them', async () => {
    await account('reader')
    const { token } = (await ask('reader')).body.status
    const refused = await secretsAs(token)
    expect([refused.status, refused.body.message]).toEqual([
      403,
      `secrets is forbidden: User "system:serviceaccount:${namespace}:reader" cannot list resource "secrets" in API group "" in the namespace "${namespace}"`,
    ])
    const group = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`
    const meta = { apiVersion: 'rbac.authorization.k8s.io/v1', metadata: { name: 'read' } }
    const rules = [{ apiGroups: [''], resources: ['secrets'], verbs: ['list'] }]
    await cluster.post(`${group}/roles`, { ...meta, kind: 'Role', rules })
    const subjects = [{ kind: 'ServiceAccount', name: 'reader', namespace }]
    await cluster.post(`${group}/rolebindings`, {
      ...meta,
      kind: 'RoleBinding',
      roleRef: { kind: 'Role', name: 'read' },
      subjects,
    })
    await eventually(async () => (await secretsAs(token)).status === 200)
    const elsewhere = await cluster.get('/api/v1/namespaces/kube-system/secrets', {
      headers: { authorization: `Bearer ${token}` },
    })
    expect(elsewhere.status).toBe(403)
  })

  it('that allow changes do not allow making: server-side apply of what is not there needs create', async () => {
    await account('patcher')
    const { token } = (await ask('patcher')).body.status
    const group = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`
    const meta = { apiVersion: 'rbac.authorization.k8s.io/v1', metadata: { name: 'patch' } }
    const rules = [{ apiGroups: [''], resources: ['configmaps'], verbs: ['patch'] }]
    await cluster.post(`${group}/roles`, { ...meta, kind: 'Role', rules })
    await cluster.post(`${group}/rolebindings`, {
      ...meta,
      kind: 'RoleBinding',
      roleRef: { kind: 'Role', name: 'patch' },
      subjects: [{ kind: 'ServiceAccount', name: 'patcher', namespace }],
    })
    const path = `/api/v1/namespaces/${namespace}/configmaps/applied`
    const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'applied' }, data: { k: 'v' } }
    const options = { contentType: 'application/apply-patch+yaml', headers: { authorization: `Bearer ${token}` } }
    const apply = () => cluster.send('PATCH', `${path}?fieldManager=test`, body, options)
    await eventually(async () => !(await apply()).body.message.includes('cannot patch'))
    const refused = await apply()
    expect([refused.status, refused.body.message]).toEqual([
      403,
      `configmaps "applied" is forbidden: User "system:serviceaccount:${namespace}:patcher" cannot create resource "configmaps" in API group "" in the namespace "${namespace}"`,
    ])
    await cluster.post(`/api/v1/namespaces/${namespace}/configmaps`, { ...body, data: {} })
    expect((await apply()).status).toBe(200)
  })

  it('are granted only by who has them, or may bind or escalate', async () => {
    await account('granter')
    const { token } = (await ask('granter')).body.status
    const group = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`
    const meta = (name: string) => ({ apiVersion: 'rbac.authorization.k8s.io/v1', metadata: { name } })
    const rbac = { apiGroups: ['rbac.authorization.k8s.io'], resources: ['roles', 'rolebindings'] }
    const held = { apiGroups: [''], resources: ['configmaps'], verbs: ['get'] }
    const allow = (rules: object[]) => cluster.put(`${group}/roles/grant`, { ...meta('grant'), kind: 'Role', rules })
    const binding = (name: string, roleRef: object) => ({
      ...meta(name),
      kind: 'RoleBinding',
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', ...roleRef },
      subjects: [{ kind: 'ServiceAccount', name: 'granter', namespace }],
    })
    const rules = [{ ...rbac, verbs: ['create'] }, held]
    await cluster.post(`${group}/roles`, { ...meta('grant'), kind: 'Role', rules })
    await cluster.post(`${group}/rolebindings`, binding('grant', { kind: 'Role', name: 'grant' }))
    const options = { headers: { authorization: `Bearer ${token}` } }
    const make = (plural: string, body: object) => cluster.post(`${group}/${plural}`, body, options)
    const role = (name: string, rule: object) => make('roles', { ...meta(name), kind: 'Role', rules: [rule] })
    await eventually(async () => (await role('same', held)).status === 201)
    const more = await role('more', { ...held, verbs: ['get', 'list'] })
    expect([more.status, more.body.message]).toEqual([
      403,
      expect.stringContaining('is attempting to grant RBAC permissions not currently held'),
    ])
    for (const beyond of [
      { verbs: ['*'] },
      { resources: ['*'] },
      { apiGroups: ['*'] },
      { resources: ['configmaps/x'] },
    ])
      expect((await role('beyond', { ...held, ...beyond })).status).toBe(403)
    const admin = binding('admin', { kind: 'ClusterRole', name: 'cluster-admin' })
    expect((await make('rolebindings', admin)).status).toBe(403)
    const later = await make('rolebindings', binding('later', { kind: 'Role', name: 'not-there' }))
    expect([later.status, later.body.message]).toEqual([
      404,
      'rolebindings.rbac.authorization.k8s.io "not-there" not found',
    ])
    expect((await make('rolebindings', binding('same', { kind: 'Role', name: 'same' }))).status).toBe(201)
    await allow([{ ...rbac, resources: [...rbac.resources, 'clusterroles'], verbs: ['create', 'bind', 'escalate'] }])
    await eventually(async () => (await make('rolebindings', admin)).status === 201)
  })

  it('auth-delegator may review tokens; others may not', async () => {
    await account('delegate')
    const { token } = (await ask('delegate')).body.status
    expect((await review(token, undefined, token)).status).toBe(403)
    const bindings = '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings'
    const name = cluster.unique('delegate')
    await cluster.post(bindings, {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name },
      roleRef: { kind: 'ClusterRole', name: 'system:auth-delegator' },
      subjects: [{ kind: 'ServiceAccount', name: 'delegate', namespace }],
    })
    await eventually(async () => (await review(token, undefined, token)).body.status.authenticated === true)
    await cluster.delete(`${bindings}/${name}`)
  })

  it('everyone may ask about themselves', async () => {
    await account('self')
    const { token } = (await ask('self')).body.status
    const headers = { authorization: `Bearer ${token}` }
    const access = {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: { resourceAttributes: { verb: 'get', resource: 'secrets', namespace } },
    }
    const path = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews'
    expect((await cluster.post(path, access, { headers })).body.status).toEqual({ allowed: false })
    expect((await cluster.post(path, access)).body.status).toEqual({ allowed: true })
    const who = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' }
    const answer = await cluster.post('/apis/authentication.k8s.io/v1/selfsubjectreviews', who, { headers })
    expect(answer.body.status.userInfo.username).toBe(`system:serviceaccount:${namespace}:self`)
  })

  // A real API server listens for a whole network under many names; the embedded one for this machine's programs only.
  it('a request that names another host is refused; a real one takes it', async () => {
    const { status } = await cluster.get('/healthz', { headers: { host: 'rebound.example:443' } })
    expect(status).toBe(onReal ? 200 : 400)
  })
})
