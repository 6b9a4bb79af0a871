/** Who may do what: the same random rights in the embedded API server and in the real one, and the same answers. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Authorizer } from '../../src/devcluster/api/identity/authorizer.ts'
import { bootstrapRoles } from '../../src/devcluster/api/identity/rbac/bootstrap-roles.ts'
import { ObjectStore } from '../../src/devcluster/api/store/object-store.ts'
import { type Answer, type Cluster, eventually, minorVersion, openCluster } from '../kube-contract/cluster.ts'
import { type Both, inParallel, normalized, openBoth, type Plain, type Sent } from './both-servers.ts'
import {
  accessReviews,
  changedIn36,
  differences,
  impersonations,
  plainRequests,
  rightsObjects,
  tokenRequests,
} from './identity-requests.ts'
import {
  chanceOf,
  collectionOf,
  type Person,
  type Question,
  type RbacObject,
  randomQuestion,
  randomRule,
  randomWorld,
  type World,
} from './rbac-world.ts'

const seed = Number(process.env['COFFER_SEED'] ?? 20251121)
const chance = chanceOf(seed)
const rbac = '/apis/rbac.authorization.k8s.io/v1'
const reviews = '/apis/authorization.k8s.io/v1'

let cluster: Cluster
let both: Both
let prefix: string
let world: World
let fixed: readonly RbacObject[]

const asPerson = (person: Person, ...more: string[]): readonly (readonly [string, string])[] => [
  ['Impersonate-User', person.name],
  ...[...person.groups, ...more].map((group) => ['Impersonate-Group', group] as const),
]

async function answers(sent: Sent): Promise<{ embedded: Plain; real: Plain }> {
  const [embedded, real] = await Promise.all([both.embedded(sent), both.real(sent)])
  return { embedded: normalized(embedded), real: normalized(real) }
}

async function create(object: RbacObject): Promise<void> {
  const sent = { method: 'POST', path: collectionOf(object), body: object }
  for (const { status, body } of Object.values(await answers(sent)))
    if (status !== 201) throw new Error(`${object.kind} ${object.metadata.name}: ${body.message}`)
}

/** Those who may write roles and bindings, some of them more than they have. */
function writers(namespace: string): RbacObject[] {
  const apiVersion = 'rbac.authorization.k8s.io/v1'
  const apiGroups = ['rbac.authorization.k8s.io']
  const all = ['roles', 'rolebindings', 'clusterroles', 'clusterrolebindings']
  const role = (name: string, rules: object[]): RbacObject => {
    return { apiVersion, kind: 'ClusterRole', metadata: { name: `${prefix}-${name}` }, rules }
  }
  const bind = (name: string, subject: object, inNamespace?: string): RbacObject => ({
    apiVersion,
    kind: inNamespace === undefined ? 'ClusterRoleBinding' : 'RoleBinding',
    metadata: { name: `${prefix}-${name}`, ...(inNamespace === undefined ? {} : { namespace: inNamespace }) },
    roleRef: { apiGroup: apiGroups[0], kind: 'ClusterRole', name: `${prefix}-${name}` },
    subjects: [{ apiGroup: apiGroups[0], ...subject }],
  })
  return [
    role('writer', [{ apiGroups, resources: all, verbs: ['create', 'update', 'patch', 'get'] }]),
    role('escalator', [
      { apiGroups, resources: ['roles'], resourceNames: ['r0'], verbs: ['escalate'] },
      { apiGroups, resources: ['clusterroles'], resourceNames: [`${prefix}-3`, `${prefix}-gathered`], verbs: ['bind'] },
      { apiGroups, resources: ['roles'], verbs: ['bind'] },
    ]),
    role('paths', [{ nonResourceURLs: ['/logs/**'], verbs: ['get'] }]),
    bind('paths', { kind: 'User', name: `${prefix}-paths` }),
    bind('writer', { kind: 'Group', name: `${prefix}-writers` }),
    bind('escalator', { kind: 'User', name: `${prefix}-ann` }, namespace),
  ]
}

beforeAll(async () => {
  cluster = await openCluster()
  both = openBoth(cluster)
  prefix = cluster.unique('rights')
  const namespaces = [await cluster.namespace(), await cluster.namespace()]
  for (const name of namespaces)
    await both.embedded({ method: 'POST', path: '/api/v1/namespaces', body: { metadata: { name } } })
  world = randomWorld(chance, prefix, namespaces)
  fixed = writers(namespaces[0] ?? '')
  await inParallel([...world.roles, ...fixed.filter((object) => object.kind === 'ClusterRole')], create)
  await eventually(async () => {
    const found = await answers({ method: 'GET', path: `${rbac}/clusterroles/${prefix}-again` })
    return found.real.body.rules?.length > 0 && same(found.embedded.body.rules, found.real.body.rules)
  }, 30_000)
  await inParallel([...world.bindings, ...fixed.filter((object) => object.kind !== 'ClusterRole')], create)
  await eventually(() => isKnown('marker'), 30_000)
}, 60_000)

afterAll(async () => {
  const remove = (object: RbacObject) =>
    both.real({ method: 'DELETE', path: `${collectionOf(object)}/${object.metadata.name}` })
  await inParallel([...world.bindings, ...world.roles, ...fixed], remove)
  for (const name of world.namespaces) await cluster.delete(`/api/v1/namespaces/${name}`)
  both.close()
})

const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b)

/** The real authoriser hears of what is written with a delay: what was written last is known with all before it. */
async function isKnown(name: string): Promise<boolean> {
  const [namespace = ''] = world.namespaces
  const user = `${prefix}-${name}`
  const meta = { apiVersion: 'rbac.authorization.k8s.io/v1', metadata: { name: user } }
  const rules = [{ apiGroups: ['marker'], resources: [name], verbs: ['mark'] }]
  const made: RbacObject[] = [
    { ...meta, kind: 'ClusterRole', rules },
    { ...meta, metadata: { name: user, namespace }, kind: 'Role', rules },
    {
      ...meta,
      kind: 'ClusterRoleBinding',
      roleRef: { kind: 'ClusterRole', name: user },
      subjects: [{ kind: 'User', name: `${user}-1` }],
    },
    {
      ...meta,
      metadata: { name: user, namespace },
      kind: 'RoleBinding',
      roleRef: { kind: 'Role', name: user },
      subjects: [{ kind: 'User', name: `${user}-2` }],
    },
  ]
  fixed = [...fixed, ...made.filter((object) => !fixed.some((f) => f.kind === object.kind && f.metadata.name === user))]
  for (const body of made) await both.real({ method: 'POST', path: collectionOf(body), body })
  const mays = [1, 2].map(async (n) => {
    const resourceAttributes = { group: 'marker', resource: name, verb: 'mark', namespace }
    const spec = { user: `${user}-${n}`, resourceAttributes }
    return (await both.real({ method: 'POST', path: `${reviews}/subjectaccessreviews`, body: { spec } })).body.status
      .allowed
  })
  return (await Promise.all(mays)).every((may) => may === true)
}

function asked({ person, ...attributes }: Question): Sent {
  const spec = { user: person.name, groups: person.groups, ...attributes }
  return { method: 'POST', path: `${reviews}/subjectaccessreviews`, body: { spec } }
}

/** Whether one binding alone gives this reason: of several the real one takes any. */
function isReason(question: Question, reason: string): boolean {
  const [, kind, name] = /^RBAC: allowed by (\w+) "([^"/]+)/.exec(reason) ?? []
  const store = new ObjectStore({ historyEvents: 1 })
  const keep = (object: Answer) =>
    store.put(`${object.kind.toLowerCase()}s.rbac.authorization.k8s.io`, object, undefined)
  for (const role of liveRoles) keep(role)
  const resource = question.resourceAttributes
  const candidates = [...world.bindings, ...fixed, ...bootstrapRoles] as Answer[]
  for (const object of candidates)
    if (object.kind === kind && object.metadata.name === name) {
      if (kind === 'ClusterRoleBinding' || object.metadata.namespace === resource?.['namespace']) keep(object)
    }
  const { person, nonResourceAttributes: path } = question
  const access: Answer = path ?? { ...resource }
  return new Authorizer({ store }).decide(person, access).reason === reason
}

let liveRoles: Answer[] = []
const rolesNow = async () => {
  const lists = [`${rbac}/clusterroles`, ...world.namespaces.map((n) => `${rbac}/namespaces/${n}/roles`)]
  const found = await Promise.all(lists.map((path) => both.embedded({ method: 'GET', path })))
  return found.flatMap(({ body }, i) =>
    body.items.map((item: Answer) => ({ ...item, kind: i === 0 ? 'ClusterRole' : 'Role' })),
  )
}

describe(`random rights (seed ${seed})`, () => {
  it('are judged alike, with the same reasons', async () => {
    liveRoles = await rolesNow()
    const questions = Array.from({ length: 3000 }, () => randomQuestion(chance, world))
    // Every star at the end counts as one.
    const reader = { name: `${prefix}-paths`, groups: [] }
    for (const path of ['/logs/x', '/logs/', '/logs'])
      questions.push({ person: reader, nonResourceAttributes: { verb: 'get', path } })
    let allowed = 0
    const wrong: unknown[] = []
    await inParallel(questions, async (question) => {
      const { embedded, real } = await answers(asked(question))
      if (real.body.status.allowed) allowed += 1
      if (embedded.status === real.status && same(embedded.body.status, real.body.status)) return
      const [own, theirs] = [embedded, real].map(({ body }) => ({ ...body.status, reason: '' }))
      const anyOf = real.body.status.allowed && same(own, theirs) && isReason(question, real.body.status.reason)
      if (!anyOf) wrong.push({ question, embedded: embedded.body, real: real.body })
    })
    expect(wrong.slice(0, 3)).toEqual([])
    // Else the questions would tell nothing.
    expect(allowed / questions.length).toBeGreaterThan(0.1)
    expect(allowed / questions.length).toBeLessThan(0.9)
  })

  it('are listed alike', async () => {
    for (const person of world.people)
      for (const namespace of [...world.namespaces, 'default']) {
        const path = `${reviews}/selfsubjectrulesreviews`
        const found = await answers({ method: 'POST', path, body: { spec: { namespace } }, headers: asPerson(person) })
        expect(listed(found.embedded), `${person.name} in ${namespace}`).toEqual(listed(found.real))
      }
  })

  it('are granted alike, and refused in the same words', async () => {
    const attempts = Array.from({ length: 500 }, () => randomGrant())
    const statuses = new Map<number, number>()
    await inParallel(attempts, async (sent) => {
      const { embedded, real } = await answers(sent)
      statuses.set(real.status, (statuses.get(real.status) ?? 0) + 1)
      expect(essence(embedded), JSON.stringify(sent)).toEqual(essence(real))
    })
    for (const status of [201, 403, 404]) expect(statuses.get(status), String(status)).toBeGreaterThan(3)
  })
})

/** A list of rules is a set: the real one puts the bindings in any order. */
function listed(answer: Plain) {
  if (answer.status !== 201) return essence(answer)
  const set = (values: unknown[]) => values.map((value) => JSON.stringify(value)).sort()
  const { resourceRules, nonResourceRules, ...rest } = answer.body.status
  return { rest, resourceRules: set(resourceRules), nonResourceRules: set(nonResourceRules) }
}

const essence = ({ status, body }: Plain) => ({
  status,
  ...(status < 300 ? {} : { said: body.message ?? body, details: body.details }),
})

/** A role or a binding that somebody tries to write; nothing is stored. */
function randomGrant(): Sent {
  const { pick, happens, some } = chance
  const person = pick(world.people)
  const namespace = happens(0.6) ? pick(world.namespaces) : undefined
  const headers = asPerson(person, `${prefix}-writers`)
  const place = namespace === undefined ? rbac : `${rbac}/namespaces/${namespace}`
  if (happens(0.5)) {
    const plural = namespace === undefined ? 'clusterroles' : 'roles'
    const rules = Array.from({ length: pick([1, 2]) }, () => randomRule(chance, namespace === undefined))
    const aggregate = namespace === undefined && happens(0.2)
    const aggregationRule = { clusterRoleSelectors: [{ matchLabels: { a: 'b' } }] }
    const known = namespace === undefined ? `${prefix}-${pick([0, 1, 2])}` : pick(['r0', 'r1', 'r2'])
    const update = happens(0.4)
    const metadata = { name: update ? known : pick(['r0', 'new']) }
    const body = { metadata, rules: happens(0.1) ? [] : rules, ...(aggregate ? { aggregationRule } : {}) }
    const path = update ? `${place}/${plural}/${known}?dryRun=All` : `${place}/${plural}?dryRun=All`
    return { method: update ? 'PUT' : 'POST', path, body, headers }
  }
  const plural = namespace === undefined ? 'clusterrolebindings' : 'rolebindings'
  const local = namespace !== undefined && happens(0.5)
  const role = local
    ? pick(['r0', 'r1', 'r2', 'r3', 'gone'])
    : pick([
        'cluster-admin',
        'system:auth-delegator',
        `${prefix}-gone`,
        `${prefix}-gathered`,
        ...[0, 1, 2, 3].map((n) => `${prefix}-${n}`),
      ])
  const roleRef = { kind: local ? 'Role' : 'ClusterRole', name: role }
  const subjects = some(world.people, 2).map(({ name }) => ({ kind: 'User', name }))
  return {
    method: 'POST',
    path: `${place}/${plural}?dryRun=All`,
    body: { metadata: { name: 'new' }, roleRef, subjects },
    headers,
  }
}

/** With the namespace's name in its place. */
const inPlace = (sent: Sent): Sent => JSON.parse(JSON.stringify(sent).replace(/\bN\b/g, world.namespaces[0] ?? ''))

const title = ({ method, path, body, headers }: Sent) =>
  [method, path, JSON.stringify(body) ?? '', headers?.length ? JSON.stringify(headers) : ''].join(' ')

describe.each([
  ['questions about rights', accessReviews],
  ['requests for tokens and about them', tokenRequests],
  ['acting as somebody else', impersonations],
  ['what a request needs', plainRequests],
  ['roles and bindings', rightsObjects],
])('%s', (_, requests) => {
  it.each(requests.map((sent) => [title(sent), sent] as const))('%s', async (_title, sent) => {
    const { embedded, real } = await answers(inPlace(sent))
    expect(embedded).toEqual(real)
  })
})

describe('on purpose otherwise', () => {
  it.each(differences.map(({ why, sent }) => [why, sent] as const))('%s', async (_why, sent) => {
    const { embedded, real } = await answers(inPlace(sent))
    expect(embedded).not.toEqual(real)
  })
})

const isLater = minorVersion >= 36
describe(isLater ? 'otherwise since 1.36' : 'alike until 1.36', () => {
  it.each(changedIn36.map(({ why, sent }) => [why, sent] as const))('%s', async (_why, sent) => {
    const { embedded, real } = await answers(inPlace(sent))
    const rest = ({ status, body }: Plain) => ({ status, body: body.rules ?? body })
    if (isLater) expect(rest(embedded)).not.toEqual(rest(real))
    else expect(rest(embedded)).toEqual(rest(real))
  })
})

describe('bootstrap roles', () => {
  it('are those of the real one', async () => {
    const shown = ({ body }: Plain) => ({
      labels: body.metadata.labels,
      annotations: body.metadata.annotations,
      aggregationRule: body.aggregationRule,
      rules: [...(body.rules ?? [])].map((rule) => JSON.stringify(rule, Object.keys(rule).sort())).sort(),
      roleRef: body.roleRef,
      subjects: body.subjects,
    })
    for (const { kind, metadata } of bootstrapRoles) {
      const hasMore = /^(edit|view|admin|system:monitoring|system:aggregate-to-(edit|view))$/.test(metadata.name ?? '')
      // Listed above.
      if (isLater && kind === 'ClusterRole' && hasMore) continue
      const path = `${rbac}/${kind.toLowerCase()}s/${metadata.name}`
      const found = await answers({ method: 'GET', path })
      expect(shown(found.embedded), metadata.name).toEqual(shown(found.real))
    }
  })
})
