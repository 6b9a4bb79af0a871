/**
 * Rules in CEL, conditions of webhooks and schemas of custom resources, given to a real API server and to the embedded one:
 * what is accepted and every word of what is refused are the same. Where they differ on purpose a table says why, and fails
 * when the difference is gone.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { customResourceDefinitions } from '../../src/controller/crds/definitions.ts'
import { ApiServer } from '../../src/devcluster/api/api-server.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { systemRandom } from '../../src/lib/random.ts'
import { type Answer, type Cluster, eventually, minorVersion, openCluster } from '../kube-contract/cluster.ts'
import {
  compileCases,
  conditionCases,
  deliberate,
  later,
  type RuleCase,
  ruleCases,
  ruleSchema,
  schemaCases,
} from './cel-cases.ts'

interface Told {
  readonly status: number
  readonly message: string
}
type Send = (method: string, path: string, body?: unknown) => Promise<{ status: number; body: Answer }>

let cluster: Cluster
let namespace: string
let embedded: ApiServer
let sides: readonly [Send, Send]

beforeAll(async () => {
  cluster = await openCluster()
  namespace = await cluster.namespace()
  embedded = new ApiServer({ clock: systemClock, random: systemRandom, caPem: 'none', adminToken: 'admin' })
  const inProcess: Send = async (method, path, body) => {
    const url = new URL(path, 'http://embedded')
    const answer = await embedded.handle({
      method,
      path: url.pathname,
      query: url.searchParams,
      headers: { authorization: 'Bearer admin', 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: undefined,
    })
    return { status: answer.status, body: JSON.parse(String(answer.body)) }
  }
  sides = [(method, path, body) => cluster.send(method, path, body), inProcess]
  const made = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }
  expect((await inProcess('POST', '/api/v1/namespaces', made)).status).toBe(201)
})
afterAll(async () => {
  embedded.close()
  await cluster.close()
})

/** Types that have no name get one with a number of the moment; after 1.34 the type of a wrong value is no longer told. */
function normal(text: string): string {
  const named = text.replace(/selfType\d*/g, 'selfType')
  if (minorVersion <= 34) return named
  return named
    .replace(/Invalid value: "(object|array|string|integer|number|boolean|null)": /g, 'Invalid value: ')
    .replace('Duplicate value: "object"', 'Duplicate value')
}
const told = ({ status, body }: { status: number; body: Answer }): Told => ({
  status,
  message: status < 300 ? '' : inOrder(normal(String(body.message))),
})
/** Of several problems the API server tells those of different fields in any order. */
function inOrder(message: string): string {
  const list = /^(.*? is invalid: )\[(.*)\]$/s.exec(message)
  return list
    ? `${list[1]}${(list[2] ?? '')
        .split(/, (?=[a-z<][\w.[\]<>$-]*: )/)
        .sort()
        .join(', ')}`
    : message
}

async function bothTell(method: string, path: string, body?: unknown): Promise<readonly [Told, Told]> {
  const [real, ours] = await Promise.all(sides.map((send) => send(method, path, body)))
  if (!real || !ours) throw new Error('two sides answer')
  return [told(real), told(ours)]
}

/** The embedded API server is one of 1.34. */
const reasonFor = (name: string) => deliberate.get(name) ?? (minorVersion > 34 ? later.get(name) : undefined)

/** The same, or knowingly not. */
function agree(name: string, [real, ours]: readonly [Told, Told]): void {
  const reason = reasonFor(name)
  if (reason === undefined) expect(ours).toEqual(real)
  else expect(ours, `no longer different: ${reason}`).not.toEqual(real)
}

const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const definition = (group: string, schema: object) => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `cases.${group}` },
  spec: {
    group,
    scope: 'Namespaced',
    names: { plural: 'cases', kind: 'Case' },
    versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema } }],
  },
})
const object = (group: string, name: string, more: object) => ({
  apiVersion: `${group}/v1`,
  kind: 'Case',
  metadata: { name },
  ...more,
})
const withSpec = (spec: object) => ({ type: 'object', properties: { spec } })

/** A definition on both sides for as long as `use` runs. */
async function defined(schema: object, use: (group: string, path: string) => Promise<void>): Promise<void> {
  const group = `${cluster.unique('g')}.cel.test`
  const path = `/apis/${group}/v1/namespaces/${namespace}/cases`
  const answers = await Promise.all(sides.map((send) => send('POST', definitions, definition(group, schema))))
  expect(answers.map((answer) => [answer.status, answer.body.message])).toEqual([
    [201, undefined],
    [201, undefined],
  ])
  try {
    for (const send of sides)
      await eventually(async () => {
        const { status } = await send('POST', `${path}?dryRun=All`, object(group, 'probe', {}))
        return status !== 404
      })
    await use(group, path)
  } finally {
    await Promise.all(sides.map((send) => send('DELETE', `${definitions}/cases.${group}`)))
  }
}

const compile = (rule: object) =>
  bothTell(
    'POST',
    `${definitions}?dryRun=All`,
    definition('compile.cel.test', withSpec({ ...ruleSchema, 'x-kubernetes-validations': [rule] })),
  )

describe('a rule is refused with its definition in the same words', () => {
  it.each(compileCases.map((rule) => [typeof rule === 'string' ? rule : JSON.stringify(rule), rule] as const))(
    '%s',
    async (name, rule) => {
      agree(name, await compile(typeof rule === 'string' ? { rule } : rule))
    },
  )
})

// Several rules share a definition: each takes the API server a while to serve.
const perDefinition = 20
const chunks = Array.from({ length: Math.ceil(ruleCases.length / perDefinition) }, (_, index) =>
  ruleCases.slice(index * perDefinition, (index + 1) * perDefinition),
)

describe('a rule accepts and refuses the same objects', () => {
  it.each(
    chunks.map(
      (cases, index) => [`${index * perDefinition + 1} to ${index * perDefinition + cases.length}`, cases] as const,
    ),
  )('cases %s', async (_, cases) => {
    const fields = Object.fromEntries(
      cases.map(({ rule }, index) => [
        `c${index}`,
        { ...ruleSchema, 'x-kubernetes-validations': [typeof rule === 'string' ? { rule } : rule] },
      ]),
    )
    const different: unknown[] = []
    await defined(withSpec({ type: 'object', properties: fields }), async (group, path) => {
      for (const [index, one] of cases.entries()) {
        const [real, ours] = await tellOf(one, `c${index}`, group, path)
        const name = typeof one.rule === 'string' ? one.rule : JSON.stringify(one.rule)
        const knowingly = reasonFor(name) !== undefined
        const same = real.status === ours.status && real.message === ours.message
        if (same === knowingly) different.push({ ...one, real, ours, knowingly })
      }
    })
    expect(different).toEqual([])
  })
})

async function tellOf(one: RuleCase, field: string, group: string, path: string): Promise<readonly [Told, Told]> {
  const name = cluster.unique('o')
  if (one.old === undefined)
    return bothTell('POST', `${path}?dryRun=All`, object(group, name, { spec: { [field]: one.self } }))
  const made = await Promise.all(
    sides.map((send) => send('POST', path, object(group, name, { spec: { [field]: one.old } }))),
  )
  expect(made.map(({ status }) => status)).toEqual([201, 201])
  const answers = await Promise.all(
    sides.map((send, side) => {
      const { resourceVersion } = made[side]?.body.metadata ?? {}
      const changed = object(group, name, { spec: { [field]: one.self } })
      const body = { ...changed, metadata: { name, resourceVersion } }
      return send('PUT', `${path}/${name}?dryRun=All`, body)
    }),
  )
  const [real, ours] = answers.map(told)
  if (!real || !ours) throw new Error('two sides answer')
  return [real, ours]
}

describe('a condition of a webhook is refused in the same words', () => {
  const configurations = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations'
  it.each(conditionCases)('%s', async (expression) => {
    const webhook = {
      name: 'a.cel.test',
      admissionReviewVersions: ['v1'],
      sideEffects: 'None',
      clientConfig: { url: 'https://127.0.0.1:9' },
      rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['nothing'] }],
      matchConditions: [{ name: 'it', expression }],
    }
    const body = {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingWebhookConfiguration',
      metadata: { name: 'cel' },
      webhooks: [webhook],
    }
    agree(expression, await bothTell('POST', `${configurations}?dryRun=All`, body))
  })
})

describe('a schema refuses the same objects in the same words', () => {
  it.each(schemaCases.map(({ name, ...one }) => [name, one] as const))('%s', async (name, { schema, specs }) => {
    const different: unknown[] = []
    await defined(withSpec(schema), async (group, path) => {
      for (const spec of specs) {
        const [real, ours] = await bothTell('POST', `${path}?dryRun=All`, object(group, 'o', { spec }))
        if (real.status !== ours.status || real.message !== ours.message) different.push({ spec, real, ours })
      }
    })
    if (reasonFor(name)) expect(different).not.toEqual([])
    else expect(different).toEqual([])
  })
})

it("Coffer's own definitions are accepted alike", async () => {
  expect(customResourceDefinitions().length).toBeGreaterThan(0)
  for (const one of customResourceDefinitions()) {
    const [real, ours] = await bothTell('POST', `${definitions}?dryRun=All`, one)
    expect([real.status, ours]).toEqual([201, real])
  }
})
