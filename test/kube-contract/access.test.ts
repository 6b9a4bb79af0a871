/** Rights as people meet them: roles, what they are asked about, acting as others. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type Answer,
  type Cluster,
  eventually,
  minorVersion,
  onlyEmbedded,
  openCluster,
  type SendOptions,
} from './cluster.ts'

let cluster: Cluster
let namespace: string
const made: string[] = []
beforeAll(async () => {
  cluster = await openCluster()
  namespace = await cluster.namespace()
})
afterAll(async () => {
  for (const path of made) await cluster.delete(path)
  await cluster.close()
})

const group = 'rbac.authorization.k8s.io'
const rbac = `/apis/${group}/v1`
const inNamespace = () => `${rbac}/namespaces/${namespace}`
const apiVersion = `${group}/v1`
const as = (user: string): SendOptions => ({ headers: { 'impersonate-user': user } })
const pods = { apiGroups: [''], resources: ['pods'], verbs: ['get'] }

async function clusterRole(name: string, more: object): Promise<Answer> {
  made.push(`${rbac}/clusterroles/${name}`)
  return (await cluster.post(`${rbac}/clusterroles`, { apiVersion, kind: 'ClusterRole', metadata: { name }, ...more }))
    .body
}
async function bind(role: string, user: string, everywhere = false): Promise<void> {
  const name = cluster.unique('bind')
  const subjects = [{ kind: 'User', name: user }]
  const body = { apiVersion, metadata: { name }, roleRef: { kind: 'ClusterRole', name: role }, subjects }
  if (everywhere) made.push(`${rbac}/clusterrolebindings/${name}`)
  const path = everywhere ? `${rbac}/clusterrolebindings` : `${inNamespace()}/rolebindings`
  const kind = everywhere ? 'ClusterRoleBinding' : 'RoleBinding'
  expect((await cluster.post(path, { ...body, kind })).status).toBe(201)
}
async function question(user: string, resourceAttributes: object): Promise<Answer> {
  const spec = { user, resourceAttributes: { namespace, ...resourceAttributes } }
  return (await cluster.post('/apis/authorization.k8s.io/v1/subjectaccessreviews', { spec })).body.status
}
const mayGetPods = (user: string) => async () => (await question(user, { verb: 'get', resource: 'pods' })).allowed

describe('a question about rights', () => {
  it('is answered with who gave them', async () => {
    const [role, user] = [cluster.unique('role'), cluster.unique('user')]
    await clusterRole(role, { rules: [pods] })
    await bind(role, user)
    await eventually(mayGetPods(user))
    expect((await question(user, { verb: 'get', resource: 'pods' })).reason).toMatch(
      new RegExp(`^RBAC: allowed by RoleBinding "bind-[^/]*/${namespace}" of ClusterRole "${role}" to User "${user}"$`),
    )
    expect(await question(user, { verb: 'list', resource: 'pods' })).toEqual({ allowed: false })
    expect(await question(user, { verb: 'get', resource: 'pods', subresource: 'log' })).toEqual({ allowed: false })
  })

  it('is answered anew when a binding or its role changes or goes', async () => {
    const [role, one, two] = [cluster.unique('role'), cluster.unique('one'), cluster.unique('two')]
    await clusterRole(role, { rules: [pods] })
    const name = cluster.unique('bind')
    const path = `${inNamespace()}/rolebindings`
    const body = (user: string) => {
      return {
        metadata: { name },
        roleRef: { kind: 'ClusterRole', name: role },
        subjects: [{ kind: 'User', name: user }],
      }
    }
    await cluster.post(path, body(one))
    await eventually(mayGetPods(one))
    await cluster.put(`${path}/${name}`, body(two))
    await eventually(mayGetPods(two))
    expect(await mayGetPods(one)()).toBe(false)
    await cluster.put(`${rbac}/clusterroles/${role}`, { metadata: { name: role }, rules: [] })
    await eventually(async () => !(await mayGetPods(two)()))
    await cluster.put(`${rbac}/clusterroles/${role}`, { metadata: { name: role }, rules: [pods] })
    await eventually(mayGetPods(two))
    await cluster.delete(`${path}/${name}`)
    await eventually(async () => !(await mayGetPods(two)()))
  })

  it('of one namespace may be put by who has rights only there', async () => {
    const user = cluster.unique('admin')
    await bind('admin', user)
    const spec = { user, resourceAttributes: { verb: 'get', resource: 'secrets', namespace } }
    const path = `/apis/authorization.k8s.io/v1/namespaces/${namespace}/localsubjectaccessreviews`
    await eventually(async () => (await cluster.post(path, { spec }, as(user))).status === 201)
    expect((await cluster.post(path, { spec }, as(user))).body.status.allowed).toBe(true)
    const everywhere = await cluster.post('/apis/authorization.k8s.io/v1/subjectaccessreviews', { spec }, as(user))
    expect(everywhere.status).toBe(403)
  })

  it('about all rights lists the rules', async () => {
    const [role, user] = [cluster.unique('role'), cluster.unique('user')]
    const rules = [
      { ...pods, resourceNames: ['one'] },
      { nonResourceURLs: ['/metrics'], verbs: ['get'] },
    ]
    await clusterRole(role, { rules })
    await bind(role, user, true)
    const path = '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews'
    const list = async () => (await cluster.post(path, { spec: { namespace } }, as(user))).body.status
    await eventually(async () => (await list()).resourceRules.some((rule: Answer) => rule.resourceNames?.[0] === 'one'))
    const { resourceRules, nonResourceRules, incomplete } = await list()
    expect(resourceRules).toContainEqual(rules[0])
    expect(nonResourceRules).toContainEqual(rules[1])
    expect(incomplete).toBe(false)
  })

  it('tells of a role that is missing', async () => {
    const user = cluster.unique('user')
    await bind('not-there-at-all', user)
    const missing = 'RBAC: clusterrole.rbac.authorization.k8s.io "not-there-at-all" not found'
    await eventually(async () => (await question(user, { verb: 'get', resource: 'pods' })).reason === missing)
    const refused = await cluster.get(`/api/v1/namespaces/${namespace}/pods`, as(user))
    expect([refused.status, refused.body.message]).toEqual([
      403,
      `pods is forbidden: User "${user}" cannot list resource "pods" in API group "" in the namespace "${namespace}": ${missing}`,
    ])
  })
})

describe('a role for one object', () => {
  it('allows this one, also by a list that asks for it only', async () => {
    const [role, user] = [cluster.unique('role'), cluster.unique('user')]
    const verbs = ['get', 'list', 'watch']
    await clusterRole(role, { rules: [{ apiGroups: [''], resources: ['configmaps'], resourceNames: ['mine'], verbs }] })
    await bind(role, user)
    const path = `/api/v1/namespaces/${namespace}/configmaps`
    await eventually(async () => (await cluster.get(`${path}/mine`, as(user))).status === 404)
    expect((await cluster.get(`${path}/other`, as(user))).status).toBe(403)
    expect((await cluster.get(path, as(user))).status).toBe(403)
    expect((await cluster.get(`${path}?fieldSelector=metadata.name%3Dmine`, as(user))).status).toBe(200)
    expect((await cluster.get(`${path}?fieldSelector=metadata.name%3Dother`, as(user))).status).toBe(403)
  })

  it('a name with watch=true is read, and needs the right to read', async () => {
    const [role, user] = [cluster.unique('role'), cluster.unique('user')]
    await clusterRole(role, { rules: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['watch'] }] })
    await bind(role, user)
    const path = `/api/v1/namespaces/${namespace}/configmaps`
    await eventually(async () => (await question(user, { verb: 'watch', resource: 'configmaps' })).allowed)
    const refused = await cluster.get(`${path}/kube-root-ca.crt?watch=true`, as(user))
    expect([refused.status, refused.body.message]).toEqual([403, expect.stringContaining('cannot get resource')])
    const read = await cluster.get(`${path}/kube-root-ca.crt?watch=true`)
    expect([read.status, read.body.kind]).toEqual([200, 'ConfigMap'])
  })

  it('in a namespace allows the namespace itself to be read', async () => {
    const user = cluster.unique('viewer')
    await bind('view', user)
    await eventually(async () => (await cluster.get(`/api/v1/namespaces/${namespace}`, as(user))).status === 200)
    expect((await cluster.get('/api/v1/namespaces/default', as(user))).status).toBe(403)
    expect((await cluster.get('/api/v1/namespaces', as(user))).status).toBe(403)
  })
})

describe('an aggregated role', () => {
  const rulesOf = async (name: string) => (await cluster.get(`${rbac}/clusterroles/${name}`)).body.rules

  it('has the rules of the roles that it selects, as they come, change and go', async () => {
    const [whole, one, two] = [cluster.unique('whole'), cluster.unique('part-1'), cluster.unique('part-2')]
    const labels = { [`${whole}.example/part`]: 'true' }
    await clusterRole(whole, { aggregationRule: { clusterRoleSelectors: [{ matchLabels: labels }] }, rules: [pods] })
    const nodes = { apiGroups: [''], resources: ['nodes'], verbs: ['list'] }
    await clusterRole(two, { metadata: { name: two, labels }, rules: [nodes, pods] })
    await clusterRole(one, { metadata: { name: one, labels }, rules: [pods] })
    const are = (rules: object[]) => async () =>
      JSON.stringify(sorted(await rulesOf(whole))) === JSON.stringify(sorted(rules))
    await eventually(are([pods, nodes]))
    await cluster.put(`${rbac}/clusterroles/${two}`, {
      apiVersion,
      kind: 'ClusterRole',
      metadata: { name: two, labels },
      rules: [],
    })
    await eventually(are([pods]))
    await cluster.delete(`${rbac}/clusterroles/${one}`)
    await eventually(async () => ((await rulesOf(whole)) ?? []).length === 0)
  })

  const sorted = (rules: Answer[] | null) => (rules ?? []).map((rule) => Object.entries(rule).sort())

  it('gives what it gathered: view, edit and admin hold custom resources that say so', async () => {
    const [extra, user] = [cluster.unique('extra'), cluster.unique('viewer')]
    const labels = { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' }
    const rules = [{ apiGroups: ['things.example'], resources: ['things'], verbs: ['get'] }]
    await clusterRole(extra, { metadata: { name: extra, labels }, rules })
    await bind('admin', user)
    await eventually(
      async () => (await question(user, { verb: 'get', group: 'things.example', resource: 'things' })).allowed,
    )
    await cluster.delete(`${rbac}/clusterroles/${extra}`)
    await eventually(
      async () => !(await question(user, { verb: 'get', group: 'things.example', resource: 'things' })).allowed,
    )
  })

  it('is made only by who may do everything', async () => {
    const [role, user] = [cluster.unique('role'), cluster.unique('user')]
    await clusterRole(role, { rules: [{ apiGroups: [group], resources: ['clusterroles'], verbs: ['create'] }] })
    await bind(role, user, true)
    await eventually(
      async () => (await question(user, { verb: 'create', group, resource: 'clusterroles', namespace: '' })).allowed,
    )
    const body = {
      metadata: { name: 'grab' },
      aggregationRule: { clusterRoleSelectors: [{ matchLabels: { a: 'b' } }] },
    }
    const refused = await cluster.post(`${rbac}/clusterroles`, body, as(user))
    expect([refused.status, refused.body.message]).toEqual([
      403,
      'clusterroles.rbac.authorization.k8s.io "grab" is forbidden: must have cluster-admin privileges to use the aggregationRule',
    ])
  })
})

describe('escalation', () => {
  it('is refused with what is missing; escalate on a role by name helps to change it, not to make it', async () => {
    const [role, user] = [cluster.unique('role'), cluster.unique('user')]
    const all = { apiGroups: [group], resources: ['roles'], verbs: ['create', 'update', 'get'] }
    await clusterRole(role, {
      rules: [all, pods, { apiGroups: [group], resources: ['roles'], resourceNames: ['named'], verbs: ['escalate'] }],
    })
    await bind(role, user)
    const rules = [{ apiGroups: ['', 'x'], resources: ['pods'], verbs: ['get', 'list'] }]
    const body = { metadata: { name: 'named' }, rules }
    const make = () => cluster.post(`${inNamespace()}/roles`, body, as(user))
    await eventually(async () => !(await make()).body.message.includes('cannot create'))
    const refused = await make()
    expect([refused.status, refused.body.message]).toEqual([
      403,
      `roles.rbac.authorization.k8s.io "named" is forbidden: user "${user}" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:
{APIGroups:[""], Resources:["pods"], Verbs:["list"]}
{APIGroups:["x"], Resources:["pods"], Verbs:["get" "list"]}`,
    ])
    await cluster.post(`${inNamespace()}/roles`, { metadata: { name: 'named' }, rules: [pods] })
    const path = `${inNamespace()}/roles/named`
    const changed = await cluster.send('PUT', path, body, as(user))
    expect([changed.status, changed.body.rules]).toEqual([200, rules])
  })

  it('a binding keeps its role', async () => {
    const body = (name: string) => ({
      metadata: { name: 'kept' },
      roleRef: { kind: 'ClusterRole', name },
      subjects: [],
    })
    await cluster.post(`${inNamespace()}/rolebindings`, body('view'))
    const refused = await cluster.put(`${inNamespace()}/rolebindings/kept`, body('edit'))
    expect([refused.status, refused.body.message]).toEqual([
      422,
      `RoleBinding.rbac.authorization.k8s.io "kept" is invalid: roleRef: Invalid value: {"APIGroup":"${group}","Kind":"ClusterRole","Name":"edit"}: cannot change roleRef`,
    ])
  })
})

describe('roles that gather each other', () => {
  it('come to rest', async (test) => {
    onlyEmbedded(test, 'a real controller manager may go on swapping their order for a while')
    const [one, two] = [cluster.unique('one'), cluster.unique('two')]
    const gathering = (mine: string, other: string, groups: string[]) => ({
      metadata: { labels: { [mine]: 'yes' }, name: mine },
      aggregationRule: { clusterRoleSelectors: [{ matchLabels: { [other]: 'yes' } }] },
      rules: groups.map((apiGroup) => ({ apiGroups: [apiGroup], resources: ['x'], verbs: ['get'] })),
    })
    await clusterRole(one, gathering(one, two, ['a', 'b']))
    await clusterRole(two, gathering(two, one, ['b', 'a']))
    const read = async (name: string) => (await cluster.get(`${rbac}/clusterroles/${name}`)).body
    await eventually(async () => JSON.stringify((await read(one)).rules) === JSON.stringify((await read(two)).rules))
    // Others go on meanwhile; these two stay as they are.
    const { resourceVersion } = (await read(one)).metadata
    for (let i = 0; i < 5; i += 1) await clusterRole(cluster.unique('other'), { rules: [pods] })
    expect((await read(one)).metadata.resourceVersion).toBe(resourceVersion)
  })
})

describe('rights on one thing', () => {
  async function having(rules: readonly object[]): Promise<string> {
    const [role, user] = [cluster.unique('role'), cluster.unique('user')]
    await clusterRole(role, { rules: [...rules, pods] })
    await bind(role, user)
    await eventually(mayGetPods(user))
    return user
  }

  it('open no list of all, whatever a selector makes of their name', async () => {
    const name = 'allowed'
    const user = await having([
      { apiGroups: [''], resources: ['secrets'], resourceNames: [name], verbs: ['list', 'watch'] },
    ])
    const secrets = `/api/v1/namespaces/${namespace}/secrets`
    for (const made of [name, 'hidden']) await cluster.post(secrets, { metadata: { name: made } })
    const list = (selector: string, more = '') =>
      cluster.get(`${secrets}?fieldSelector=${encodeURIComponent(selector)}${more}`, as(user))
    for (const selector of [
      `metadata.name=${name}`,
      `type!=x,metadata.name==${name}`,
      `type!=x\\,y,metadata.name=${name}`,
    ])
      expect((await list(selector)).body.items.map((item: Answer) => item.metadata.name)).toEqual([name])
    const beyond = [
      ...['', `metadata.name!=${name}`, `metadata.name=${name}=`, 'metadata.name=hidden'],
      ...[`type!=x\\,metadata.name=${name}`, `type!=x\\,metadata.name\\=${name}`],
    ]
    for (const selector of beyond)
      for (const more of ['', '&watch=true&timeoutSeconds=1'])
        expect([selector, (await list(selector, more)).status]).toEqual([selector, 403])
  })

  it('to change it make none, neither with a PUT nor with an apply', async () => {
    const user = await having([
      { apiGroups: ['coordination.k8s.io', group], resources: ['leases', 'roles'], verbs: ['update', 'patch', 'get'] },
    ])
    const leases = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`
    const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'new' }, spec: {} }
    const apply = { ...as(user), contentType: 'application/apply-patch+yaml' }
    const refused = [
      await cluster.send('PUT', `${leases}/new`, lease, as(user)),
      await cluster.send('PATCH', `${leases}/new?fieldManager=x`, lease, apply),
      await cluster.send('PUT', `${inNamespace()}/roles/new`, { metadata: { name: 'new' }, rules: [] }, as(user)),
    ]
    for (const { status, body } of refused)
      expect([status, body.message]).toEqual([403, expect.stringContaining(`User "${user}" cannot create resource`)])
    expect((await cluster.put(`${leases}/new`, lease)).status).toBe(201)
    const patched = await cluster.send('PATCH', `${leases}/new?fieldManager=x`, lease, apply)
    expect(patched.status).toBe(200)
  })
})

describe('acting as somebody else', () => {
  const me = '/apis/authentication.k8s.io/v1/selfsubjectreviews'

  it('is for those who may, for each of what they name', async () => {
    const [role, user] = [cluster.unique('role'), cluster.unique('user')]
    const one = (resources: string, name: string, apiGroup = '') => {
      return { apiGroups: [apiGroup], resources: [resources], resourceNames: [name], verbs: ['impersonate'] }
    }
    await clusterRole(role, {
      rules: [one('users', 'bob'), one('groups', 'crew'), one('userextras/team', 'red', 'authentication.k8s.io')],
    })
    await cluster.post(`/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name: user } })
    const token = (await cluster.post(`/api/v1/namespaces/${namespace}/serviceaccounts/${user}/token`, {})).body.status
      .token
    await bind(role, `system:serviceaccount:${namespace}:${user}`, true)
    const ask = (headers: Record<string, string>) =>
      cluster.post(me, {}, { headers: { authorization: `Bearer ${token}`, 'impersonate-user': 'bob', ...headers } })
    await eventually(async () => (await ask({})).status === 201)
    const full = await ask({ 'impersonate-group': 'crew', 'impersonate-extra-team': 'red' })
    expect(full.body.status.userInfo).toEqual({
      username: 'bob',
      groups: ['crew', 'system:authenticated'],
      extra: { team: ['red'] },
    })
    const beyond: Record<string, string>[] = [
      { 'impersonate-user': 'eve' },
      { 'impersonate-group': 'system:masters' },
      { 'impersonate-extra-team': 'blue' },
      { 'impersonate-extra-other': 'red' },
      { 'impersonate-uid': '1' },
      { 'impersonate-user': `system:serviceaccount:${namespace}:default` },
    ]
    for (const headers of beyond) {
      const { status, body } = await ask(headers)
      expect([status, body.message]).toEqual([403, expect.stringContaining('cannot impersonate')])
    }
  })

  it('as a service account has its groups and its rights', async () => {
    const account = `system:serviceaccount:${namespace}:default`
    const { userInfo } = (await cluster.post(me, {}, as(account))).body.status
    expect(userInfo).toEqual({
      username: account,
      groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
    })
    expect((await cluster.get(`/api/v1/namespaces/${namespace}/secrets`, as(account))).status).toBe(403)
  })

  it('somebody must be named', async () => {
    const { status } = await cluster.post(me, {}, { headers: { 'impersonate-group': 'crew' } })
    // A fault of the server until Kubernetes 1.35, of the client since.
    expect(status).toBe(minorVersion >= 36 ? 400 : 500)
  })
})
