/**
 * Random sequences of writes by a few managers, for the API server's two implementations to answer. A seed gives the whole
 * sequence; what a step sends is worked out from the object that the cluster asked has, so both are asked the same.
 */

/** Tests read what they were answered, whatever it is */
export type Tree = Record<string, any>

/** mulberry32: small, seeded, good enough to pick with. */
export class Dice {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) % limit
  }

  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new Error('nothing to pick from')
    return items[this.below(items.length)] as T
  }

  chance(percent: number): boolean {
    return this.below(100) < percent
  }

  some<T>(items: readonly T[], percent: number): T[] {
    return items.filter(() => this.chance(percent))
  }

  /** In another order. */
  shuffled<T>(items: readonly T[]): T[] {
    const out = [...items]
    for (let last = out.length - 1; last > 0; last--) {
      const other = this.below(last + 1)
      const held = out[last] as T
      out[last] = out[other] as T
      out[other] = held
    }
    return out
  }
}

export interface Kind {
  readonly name: string
  readonly apiVersion: string
  readonly kind: string
  readonly plural: string
  /** What a new object has. */
  base(dice: Dice): Tree
  /** Parts that a configuration may name; merged. */
  readonly parts: readonly ((dice: Dice) => Tree)[]
  /** Of the status subresource. */
  readonly statusParts?: readonly ((dice: Dice) => Tree)[]
  /** JSON pointers for JSON patches. */
  readonly pointers: readonly string[]
  readonly strategic: boolean
  /** A configuration names all that the kind needs. */
  readonly whole?: true
}

export interface Step {
  readonly label: string
  readonly method: string
  readonly query: string
  readonly subresource: string
  readonly contentType: string
  /** From the object that the cluster has. */
  body(live: Tree): unknown
}

const managers = ['alpha', 'beta', 'kubectl']
const b64 = (text: string) => Buffer.from(text).toString('base64')
const texts = ['1', '2', '3', '']

export function merge(a: Tree, b: Tree): Tree {
  const out: Tree = { ...a }
  for (const [member, value] of Object.entries(b)) {
    const known = out[member]
    out[member] = isTree(known) && isTree(value) ? merge(known, value) : value
  }
  return out
}

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value)

const entries = (dice: Dice, keys: readonly string[], value: (dice: Dice) => unknown): Tree =>
  Object.fromEntries(dice.shuffled(dice.some(keys, 50)).map((key) => [key, value(dice)]))

const text = (dice: Dice) => dice.pick(texts)

/** Config maps that are there; `uid-of-owner-a` stands for what the cluster asked calls it. */
export const owners = ['owner-a', 'owner-b']

const metadataParts: Kind['parts'] = [
  (dice) => ({ metadata: { labels: entries(dice, ['l1', 'l2', 'l3'], text) } }),
  (dice) => ({ metadata: { annotations: entries(dice, ['a1', 'a2', 'example.com/a3'], text) } }),
  (dice) => ({ metadata: { finalizers: dice.shuffled(dice.some(['x.io/one', 'x.io/two', 'x.io/three'], 50)) } }),
  (dice) => ({
    metadata: {
      ownerReferences: dice.shuffled(dice.some(owners, 60)).map((name) => ({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        name,
        uid: `uid-of-${name}`,
        ...(dice.chance(30) ? { controller: false } : {}),
      })),
    },
  }),
]

/** Where a custom resource has an empty map, the real one may write again what is there; see the list of differences. */
function filled(content: Tree): Tree {
  const members = Object.entries(content.metadata as Tree).filter(
    ([, value]) => Object.keys(value as object).length > 0,
  )
  return { metadata: Object.fromEntries(members) }
}

const secret: Kind = {
  name: 'secret',
  apiVersion: 'v1',
  kind: 'Secret',
  plural: 'secrets',
  base: () => ({ data: { a: b64('1') } }),
  parts: [
    ...metadataParts,
    (dice) => ({ data: entries(dice, ['a', 'b', 'c', 'd'], (d) => b64(text(d))) }),
    (dice) => ({ data: entries(dice, ['a', 'b', 'c', 'd'], (d) => b64(text(d))) }),
    (dice) => ({ stringData: entries(dice, ['a', 'e'], text) }),
    () => ({ type: 'Opaque' }),
    () => ({ data: {} }),
    () => ({ data: null }),
  ],
  pointers: [
    '/data/a',
    '/data/b',
    '/data',
    '/metadata/labels',
    '/metadata/labels/l1',
    '/stringData/z',
    '/metadata/managedFields',
  ],
  strategic: true,
}

const configMap: Kind = {
  name: 'config map',
  apiVersion: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  base: () => ({ data: { a: '1', b: '1' } }),
  parts: [
    ...metadataParts,
    (dice) => ({ data: entries(dice, ['a', 'b', 'c', 'd'], text) }),
    (dice) => ({ data: entries(dice, ['a', 'b', 'c', 'd'], text) }),
    (dice) => ({ binaryData: entries(dice, ['x', 'y'], (d) => b64(text(d))) }),
    () => ({ immutable: false }),
  ],
  pointers: [
    '/data/a',
    '/data/b',
    '/binaryData',
    '/metadata/annotations/a1',
    '/metadata/finalizers/0',
    '/metadata/finalizers/-',
  ],
  strategic: true,
}

const serviceAccount: Kind = {
  name: 'service account',
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  base: () => ({}),
  parts: [
    ...metadataParts,
    (dice) => ({ secrets: dice.shuffled(dice.some(['s1', 's2', 's3'], 60)).map((name) => ({ name })) }),
    (dice) => ({ imagePullSecrets: dice.shuffled(dice.some(['i1', 'i2'], 60)).map((name) => ({ name })) }),
    (dice) => ({ automountServiceAccountToken: dice.chance(50) }),
  ],
  pointers: ['/secrets', '/secrets/0', '/imagePullSecrets/0/name', '/automountServiceAccountToken'],
  strategic: true,
}

const env = (dice: Dice) =>
  dice
    .shuffled(dice.some(['E1', 'E2', 'E3'], 60))
    .map((name) =>
      dice.chance(80)
        ? { name, value: text(dice) }
        : { name, valueFrom: { secretKeyRef: { name: dice.pick(['s1', 's2']), key: 'k' } } },
    )

const container = (dice: Dice, name: string): Tree => ({
  name,
  ...(dice.chance(80) ? { image: dice.pick(['i:1', 'i:2', 'i']) } : {}),
  ...(dice.chance(50) ? { env: env(dice) } : {}),
  ...(dice.chance(30)
    ? {
        ports: dice.shuffled(dice.some([80, 81], 70)).flatMap((containerPort) =>
          dice.some(['TCP', 'UDP', ''], 50).map((protocol) => ({
            containerPort,
            ...(protocol === '' ? { name: `p${containerPort}` } : { protocol }),
          })),
        ),
      }
    : {}),
  ...(dice.chance(30) ? { args: dice.some(['x', 'y', 'z'], 60) } : {}),
  ...(dice.chance(20) ? { resources: { limits: entries(dice, ['cpu', 'memory'], (d) => d.pick(['1', '2'])) } } : {}),
  ...(dice.chance(20) ? { securityContext: { runAsUser: dice.pick([1, 2]) } } : {}),
})

/** Of one type by name: two types in one volume are refused, and validation is not what is looked at here. */
const volume = (dice: Dice, name: string): Tree => {
  if (name === 'v1') return { name, emptyDir: {} }
  if (name === 'v2') return { name, secret: { secretName: dice.pick(['s1', 's2']) } }
  return { name, configMap: { name: 'c', items: dice.some(['k1', 'k2'], 50).map((key) => ({ key, path: key })) } }
}

const template = (spec: Tree): Tree => ({ spec: { template: { spec } } })

const deployment: Kind = {
  name: 'deployment',
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  plural: 'deployments',
  base: () => ({
    spec: {
      selector: { matchLabels: { app: 'd' } },
      template: {
        metadata: { labels: { app: 'd' } },
        spec: { containers: [{ name: 'main', image: 'i:1', env: [{ name: 'E1', value: '1' }] }] },
      },
    },
  }),
  parts: [
    ...metadataParts,
    (dice) =>
      template({ containers: dice.shuffled(dice.some(['main', 'side', 'third'], 60)).map((n) => container(dice, n)) }),
    (dice) => template({ containers: dice.shuffled(dice.some(['main', 'side'], 70)).map((n) => container(dice, n)) }),
    (dice) => template({ containers: [container(dice, 'main')] }),
    (dice) => template({ initContainers: dice.some(['init1', 'init2'], 60).map((n) => container(dice, n)) }),
    (dice) => template({ volumes: dice.shuffled(dice.some(['v1', 'v2', 'v3'], 50)).map((name) => volume(dice, name)) }),
    (dice) => template({ tolerations: dice.some(['t1', 't2'], 60).map((key) => ({ key, operator: 'Exists' })) }),
    (dice) => template({ nodeSelector: entries(dice, ['n1', 'n2'], text) }),
    (dice) => template({ imagePullSecrets: dice.shuffled(dice.some(['p1', 'p2'], 60)).map((name) => ({ name })) }),
    (dice) =>
      template({
        hostAliases: dice
          .shuffled(dice.some(['1.1.1.1', '2.2.2.2'], 60))
          .map((ip) => ({ ip, hostnames: [text(dice) || 'h'] })),
      }),
    (dice) => ({ spec: { replicas: dice.below(3) } }),
    (dice) => ({ spec: { paused: dice.chance(50), minReadySeconds: dice.below(3) } }),
    (dice) => ({
      spec: {
        strategy: dice.chance(50)
          ? { type: 'Recreate' }
          : { type: 'RollingUpdate', rollingUpdate: { maxSurge: dice.pick([1, '25%']) } },
      },
    }),
    (dice) => template({ securityContext: entries(dice, ['runAsUser', 'fsGroup'], (d) => d.below(3)) }),
    (dice) => ({ spec: { template: { metadata: { labels: { app: 'd', ...entries(dice, ['x', 'y'], text) } } } } }),
    (dice) => ({ status: { replicas: dice.below(3) } }),
  ],
  statusParts: [
    (dice) => ({ status: { replicas: dice.below(3), observedGeneration: dice.below(3) } }),
    (dice) => ({
      status: {
        conditions: dice
          .shuffled(dice.some(['Available', 'Progressing'], 60))
          .map((type) => ({ type, status: dice.pick(['True', 'False']), ...(dice.chance(50) ? { reason: 'r' } : {}) })),
      },
    }),
    (dice) => ({ metadata: { labels: entries(dice, ['l1', 'l2'], text) } }),
    (dice) => ({ metadata: { annotations: entries(dice, ['a1', 'a2'], text) } }),
    (dice) => ({ spec: { replicas: dice.below(3) } }),
  ],
  pointers: [
    '/spec/replicas',
    '/spec/template/spec/containers/0/image',
    '/spec/template/spec/containers/0/env',
    '/spec/template/spec/containers/0/env/0',
    '/spec/template/spec/containers/1',
    '/spec/template/spec/volumes',
    '/spec/template/spec/nodeSelector/n1',
    '/metadata/labels',
  ],
  strategic: true,
}

const pod: Kind = {
  name: 'pod',
  apiVersion: 'v1',
  kind: 'Pod',
  plural: 'pods',
  // Without a token's volume, which has a random name.
  base: () => ({ spec: { automountServiceAccountToken: false, containers: [{ name: 'main', image: 'i:1' }] } }),
  parts: [...metadataParts, (dice) => ({ spec: { containers: [{ name: 'main', image: dice.pick(['i:1', 'i:2']) }] } })],
  statusParts: [
    (dice) => ({ status: { phase: dice.pick(['Pending', 'Running']), message: text(dice) } }),
    (dice) => ({
      status: {
        conditions: dice
          .shuffled(dice.some(['Ready', 'PodScheduled', 'x.io/gate'], 60))
          .map((type) => ({ type, status: dice.pick(['True', 'False']) })),
      },
    }),
    (dice) => ({ metadata: { annotations: entries(dice, ['a1', 'a2'], text) } }),
  ],
  pointers: ['/metadata/labels', '/metadata/annotations/a1', '/spec/containers/0/image'],
  strategic: true,
  whole: true,
}

const item = (dice: Dice, name: string): Tree => ({
  name,
  ...(dice.chance(60) ? { port: dice.below(3) } : {}),
  ...(dice.chance(60) ? { value: text(dice) } : {}),
  ...(dice.chance(20) ? { tags: dice.shuffled(dice.some(['t1', 't2'], 60)) } : {}),
})

const custom: Kind = {
  name: 'custom resource',
  apiVersion: 'patch.example.com/v1',
  kind: 'Widget',
  plural: 'widgets',
  base: () => ({ spec: { text: 'x' } }),
  parts: [
    ...metadataParts.map((part) => (dice: Dice) => filled(part(dice))),
    (dice) => ({ spec: { items: dice.shuffled(dice.some(['i1', 'i2', 'i3'], 60)).map((name) => item(dice, name)) } }),
    (dice) => ({ spec: { items: dice.shuffled(dice.some(['i1', 'i2'], 60)).map((name) => item(dice, name)) } }),
    (dice) => ({ spec: { set: dice.shuffled(dice.some(['s1', 's2', 's3'], 60)) } }),
    (dice) => ({ spec: { numbers: dice.shuffled(dice.some([1, 2, 10], 60)) } }),
    (dice) => ({ spec: { atomic: dice.some(['x', 'y'], 60) } }),
    (dice) => ({ spec: { atomicMap: entries(dice, ['k1', 'k2'], text) } }),
    (dice) => ({ spec: { map: entries(dice, ['k1', 'k2', 'k3'], text) } }),
    (dice) => ({
      spec: {
        free: entries(dice, ['f1', 'f2'], (d) => d.pick<unknown>([1, 'a', true, [1, 2], { in: text(d) }, { in: {} }])),
      },
    }),
    (dice) => ({ spec: { either: dice.pick<unknown>([1, 2, '50%']) } }),
    (dice) => ({ spec: { nested: { deep: entries(dice, ['p', 'q'], text) } } }),
    (dice) => ({ spec: { text: dice.chance(80) ? text(dice) : null } }),
    () => ({ spec: { map: null } }),
    (dice) => ({ status: { phase: text(dice) } }),
  ],
  statusParts: [
    (dice) => ({ status: { phase: text(dice) } }),
    (dice) => ({
      status: {
        conditions: dice
          .shuffled(dice.some(['A', 'B'], 60))
          .map((type) => ({ type, status: dice.pick(['True', 'False']) })),
      },
    }),
    (dice) => ({ spec: { text: text(dice) } }),
  ],
  pointers: ['/spec/items', '/spec/items/0', '/spec/items/-', '/spec/set', '/spec/map/k1', '/spec/free', '/spec/text'],
  strategic: false,
}

export const kinds: readonly Kind[] = [secret, configMap, serviceAccount, deployment, pod, custom]

const text_ = { type: 'string' }
export const widgets: Tree = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'widgets.patch.example.com' },
  spec: {
    group: 'patch.example.com',
    names: { plural: 'widgets', singular: 'widget', kind: 'Widget', listKind: 'WidgetList' },
    scope: 'Namespaced',
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: {
                type: 'object',
                properties: {
                  text: text_,
                  items: {
                    type: 'array',
                    'x-kubernetes-list-type': 'map',
                    'x-kubernetes-list-map-keys': ['name', 'port'],
                    items: {
                      type: 'object',
                      required: ['name'],
                      properties: {
                        name: text_,
                        port: { type: 'integer', default: 7 },
                        value: text_,
                        tags: { type: 'array', items: text_, 'x-kubernetes-list-type': 'set' },
                      },
                    },
                  },
                  set: { type: 'array', items: text_, 'x-kubernetes-list-type': 'set' },
                  numbers: { type: 'array', items: { type: 'integer' }, 'x-kubernetes-list-type': 'set' },
                  atomic: { type: 'array', items: text_ },
                  atomicMap: { type: 'object', additionalProperties: text_, 'x-kubernetes-map-type': 'atomic' },
                  map: { type: 'object', additionalProperties: text_ },
                  free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
                  either: { 'x-kubernetes-int-or-string': true },
                  nested: {
                    type: 'object',
                    properties: { deep: { type: 'object', properties: { p: text_, q: { ...text_, default: 'dq' } } } },
                  },
                },
              },
              status: {
                type: 'object',
                properties: {
                  phase: text_,
                  conditions: {
                    type: 'array',
                    'x-kubernetes-list-type': 'map',
                    'x-kubernetes-list-map-keys': ['type'],
                    items: { type: 'object', required: ['type'], properties: { type: text_, status: text_ } },
                  },
                },
              },
            },
          },
        },
      },
    ],
  },
}

/** Some parts of a kind, merged. */
function configuration(dice: Dice, kind: Kind, isStatus: boolean): Tree {
  const parts = isStatus ? (kind.statusParts ?? []) : kind.parts
  const count = 1 + dice.below(3)
  let out: Tree = {}
  for (let index = 0; index < count; index++) out = merge(out, dice.pick(parts)(dice))
  return out
}

const asObject = (kind: Kind, content: Tree): Tree => ({ apiVersion: kind.apiVersion, kind: kind.kind, ...content })

export function firstStep(dice: Dice, kind: Kind, name: string): Step {
  const manager = dice.pick(managers)
  const content = merge(
    merge(kind.base(dice), { metadata: { name } }),
    dice.chance(50) ? configuration(dice, kind, false) : {},
  )
  const object = asObject(kind, content)
  if (dice.chance(50))
    return {
      label: `create by ${manager}`,
      method: 'POST',
      query: `fieldManager=${manager}`,
      subresource: '',
      contentType: 'application/json',
      body: () => object,
    }
  return applyStep(dice, manager, object, '', 'applies to create')
}

function applyStep(dice: Dice, manager: string, object: Tree, subresource: string, words = 'applies'): Step {
  const force = dice.chance(40)
  return {
    label: `${manager} ${words}${force ? ' by force' : ''}${subresource}`,
    method: 'PATCH',
    query: `fieldManager=${manager}${force ? '&force=true' : ''}${dice.chance(8) ? '&dryRun=All' : ''}`,
    subresource,
    contentType: 'application/apply-patch+yaml',
    body: () => object,
  }
}

export function nextStep(dice: Dice, kind: Kind, name: string, last: Map<string, Tree>): Step {
  const manager = dice.pick(managers)
  const isStatus = kind.statusParts !== undefined && dice.chance(20)
  const subresource = isStatus ? '/status' : ''
  const form = dice.pick([
    'apply',
    'apply',
    'apply',
    'apply',
    'put',
    'put',
    'merge',
    'strategic',
    'json',
    'csa',
    'fields',
  ])
  const query = `fieldManager=${manager}`
  const common = { query, subresource }
  switch (form) {
    case 'apply': {
      const key = `${manager}${subresource}`
      const before = last.get(key)
      // Often the configuration of before, a little changed.
      const base =
        before && dice.chance(60)
          ? drop(dice, before)
          : asObject(
              kind,
              merge(isStatus || (dice.chance(60) && !kind.whole) ? {} : kind.base(dice), { metadata: { name } }),
            )
      const object =
        dice.chance(15) && before ? before : merge(base, dice.chance(80) ? configuration(dice, kind, isStatus) : {})
      last.set(key, object)
      return applyStep(dice, manager, object, subresource)
    }
    case 'put': {
      const change = configuration(dice, kind, isStatus)
      const gone = dice.pick(kind.pointers)
      const drops = dice.chance(30)
      return {
        ...common,
        label: `${manager} updates${subresource}`,
        method: 'PUT',
        contentType: 'application/json',
        body: (live) => merge(drops ? without(live, gone) : live, change),
      }
    }
    case 'json':
      return {
        ...common,
        label: `${manager} patches by JSON patch${subresource}`,
        method: 'PATCH',
        contentType: 'application/json-patch+json',
        body: operations(dice, kind),
      }
    case 'csa':
      return clientSideApply(dice, kind, name, manager)
    case 'fields':
      return fieldsStep(dice, manager, kind)
    default: {
      const isStrategic = form === 'strategic' && kind.strategic
      const patch = configuration(dice, kind, isStatus)
      const body = isStrategic ? directives(dice, patch) : nulls(dice, patch)
      return {
        ...common,
        label: `${manager} patches by ${isStrategic ? 'strategic ' : ''}merge patch${subresource}`,
        method: 'PATCH',
        contentType: `application/${isStrategic ? 'strategic-' : ''}merge-patch+json`,
        body: () => body,
      }
    }
  }
}

/** Forgets owners, or sends those that it read. */
function fieldsStep(dice: Dice, manager: string, kind: Kind): Step {
  // What is owned before the first apply of a custom status differs between versions.
  const managedFields = dice.pick<unknown>(kind === custom ? [[], null] : [[], [{}], null])
  return {
    label: `${manager} sets managedFields to ${JSON.stringify(managedFields)}`,
    method: 'PATCH',
    query: `fieldManager=${manager}`,
    subresource: '',
    contentType: 'application/merge-patch+json',
    body: () => ({ metadata: { managedFields } }),
  }
}

const annotation = 'kubectl.kubernetes.io/last-applied-configuration'

function clientSideApply(dice: Dice, kind: Kind, name: string, manager: string): Step {
  const object = asObject(kind, merge(merge(kind.base(dice), { metadata: { name } }), configuration(dice, kind, false)))
  const text = `${JSON.stringify(object)}\n`
  return {
    label: `${manager} applies on the client's side`,
    method: 'PATCH',
    query: `fieldManager=${dice.chance(50) ? 'kubectl-client-side-apply' : manager}`,
    subresource: '',
    contentType: 'application/merge-patch+json',
    body: () => merge(object, { metadata: { annotations: { [annotation]: text } } }),
  }
}

/** The same with something less. */
function drop(dice: Dice, value: Tree, depth = 0): Tree {
  const out: Tree = {}
  for (const [member, content] of Object.entries(value)) {
    const kept = ['apiVersion', 'kind', 'name'].includes(member) || (depth === 0 && member === 'metadata')
    if (!kept && depth > 0 && dice.chance(20)) continue
    if (isTree(content)) out[member] = drop(dice, content, depth + 1)
    else if (Array.isArray(content) && content.every(isTree))
      out[member] = content.filter(() => !dice.chance(15)).map((i) => drop(dice, i, depth + 2))
    else out[member] = content
  }
  return out
}

function without(object: Tree, pointer: string): Tree {
  const out = structuredClone(object)
  const steps = pointer.split('/').slice(1)
  let here: any = out
  for (const step of steps.slice(0, -1)) here = here?.[step]
  const lastStep = steps.at(-1) ?? ''
  if (Array.isArray(here)) here.splice(Number(lastStep), 1)
  else if (isTree(here)) delete here[lastStep]
  return out
}

/** Without them there is nothing but validation's words to compare. */
const needed = ['name', 'type', 'uid', 'kind', 'apiVersion', 'ip', 'key', 'containers', 'containerPort', 'path']

function nulls(dice: Dice, patch: Tree): Tree {
  return Object.fromEntries(
    Object.entries(patch).map(([member, value]) => {
      if (isTree(value)) return [member, nulls(dice, value)]
      return [member, dice.chance(25) && !needed.includes(member) ? null : value]
    }),
  )
}

function directives(dice: Dice, patch: Tree): Tree {
  const out: Tree = {}
  for (const [member, value] of Object.entries(patch)) {
    if (isTree(value)) {
      out[member] = directives(dice, value)
      if (dice.chance(4) && member !== 'metadata') out[member].$patch = dice.pick(['replace', 'delete', 'merge'])
      if (member === 'strategy' && dice.chance(50)) out[member].$retainKeys = Object.keys(value)
    } else if (Array.isArray(value)) {
      listDirectives(dice, out, member, value)
    } else {
      out[member] = dice.chance(15) && !needed.includes(member) ? null : value
    }
  }
  return out
}

function listDirectives(dice: Dice, out: Tree, member: string, value: readonly unknown[]): void {
  const key = ['ports'].includes(member)
    ? 'containerPort'
    : member === 'hostAliases'
      ? 'ip'
      : member === 'ownerReferences'
        ? 'uid'
        : member === 'conditions'
          ? 'type'
          : 'name'
  const items = value.map((item) => (isTree(item) ? directives(dice, item) : item))
  if (member === 'finalizers') {
    if (dice.chance(30)) out[`$deleteFromPrimitiveList/${member}`] = value
    else out[member] = value
    if (dice.chance(30)) out[`$setElementOrder/${member}`] = dice.chance(50) ? value : dice.shuffled(value)
    return
  }
  if (items.length > 0 && items.every(isTree)) {
    if (dice.chance(25))
      out[`$setElementOrder/${member}`] = (dice.chance(70) ? items : dice.shuffled(items)).map((item: any) => ({
        [key]: item[key],
      }))
    if (dice.chance(15)) items[0] = { $patch: 'delete', [key]: (items[0] as Tree)[key] }
    if (dice.chance(5)) items.push({ $patch: 'replace' })
  }
  out[member] = items
}

function operations(dice: Dice, kind: Kind): (live: Tree) => unknown {
  const plan = [...Array(1 + dice.below(3))].map(() => ({
    op: dice.pick(['add', 'replace', 'remove', 'test', 'copy', 'move']),
    path: dice.pick(kind.pointers),
    from: dice.pick(kind.pointers),
    value: dice.pick<unknown>(['x', b64('x'), { k: 'v' }, ...(kind === secret ? ['y'] : [[], null]), 1]),
    echo: dice.chance(60),
  }))
  return (live) =>
    plan.map(({ op, path, from, value, echo }) => {
      const here = path
        .split('/')
        .slice(1)
        .reduce((at: any, step) => at?.[step], live)
      const sent = echo && here !== undefined ? here : value
      return op === 'copy' || op === 'move'
        ? { op, from, path }
        : op === 'remove'
          ? { op, path }
          : { op, path, value: sent }
    })
}
