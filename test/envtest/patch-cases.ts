/** Writes with a point to them, each a short story on one object; both API servers are to answer alike. */
import type { Tree } from './random-writes.ts'

export interface Case {
  readonly name: string
  readonly steps: readonly CaseStep[]
}

export interface CaseStep {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH'
  /** Below the namespace: "configmaps/NAME"; NAME is the object of the case. */
  readonly path: string
  readonly query?: string
  readonly type?: string
  /** NAME, UID and VERSION stand for those of the object; text is sent as it is. */
  readonly body?: unknown
}

const apply = 'application/apply-patch+yaml'
const merge = 'application/merge-patch+json'
const json = 'application/json-patch+json'
const strategic = 'application/strategic-merge-patch+json'
const maps = 'configmaps/NAME'
const deployments = 'deployments/NAME'
const widgets = 'widgets/NAME'

const map = (content: Tree = {}): Tree => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  ...content,
  metadata: { name: 'NAME', ...content.metadata },
})
const widget = (spec: Tree, more: Tree = {}): Tree => ({
  apiVersion: 'patch.example.com/v1',
  kind: 'Widget',
  metadata: { name: 'NAME' },
  spec,
  ...more,
})
const deployment = (spec: Tree = {}, more: Tree = {}): Tree => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'NAME' },
  spec: {
    selector: { matchLabels: { a: 'b' } },
    template: {
      metadata: { labels: { a: 'b' } },
      spec: { containers: [{ name: 'main', image: 'i:1', env: [{ name: 'A', value: '1' }] }], ...spec },
    },
    ...more,
  },
})

const create = (body: Tree, path = 'configmaps', manager = 'maker'): CaseStep => ({
  method: 'POST',
  path,
  query: `fieldManager=${manager}`,
  body,
})
const applied = (body: unknown, query: string, path = maps): CaseStep => ({ path, query, type: apply, body })
const patched = (type: string, body: unknown, path = maps, query = 'fieldManager=patcher'): CaseStep => ({
  path,
  query,
  type,
  body,
})
const put = (body: unknown, manager: string, path = maps): CaseStep => ({
  method: 'PUT',
  path,
  query: `fieldManager=${manager}`,
  body,
})

const data = (values: Tree): Tree => map({ data: values })
const lastApplied = (values: Tree): Tree => ({
  'kubectl.kubernetes.io/last-applied-configuration': `${JSON.stringify({ apiVersion: 'v1', data: values, kind: 'ConfigMap', metadata: { name: 'NAME' } })}\n`,
})

const ownership: readonly Case[] = [
  {
    name: 'what an applier no longer names goes, unless another owns it',
    steps: [
      applied(data({ a: '1', b: '1', c: '1' }), 'fieldManager=one'),
      applied(data({ b: '1' }), 'fieldManager=two'),
      patched(merge, { data: { c: '2' } }),
      applied(data({}), 'fieldManager=one'),
      applied(map(), 'fieldManager=one'),
      applied(map(), 'fieldManager=two'),
    ],
  },
  {
    name: 'several conflicts are listed by manager and path',
    steps: [
      applied(data({ a: '1', b: '1' }), 'fieldManager=one'),
      applied(data({ c: '1', a: '1' }), 'fieldManager=two'),
      patched(merge, { data: { d: '1' }, metadata: { labels: { x: 'y' } } }),
      applied(
        map({ data: { a: '2', b: '2', c: '2', d: '2' }, metadata: { labels: { x: 'z' } } }),
        'fieldManager=three',
      ),
      applied(map({ data: { a: '2', b: '2', c: '2', d: '2' } }), 'fieldManager=three&force=true'),
      applied(data({ d: '3' }), 'fieldManager=one'),
    ],
  },
  {
    name: 'conflicts in lists name the keys of their items',
    steps: [
      applied(deployment(), 'fieldManager=one', deployments),
      applied(
        deployment({
          containers: [
            { name: 'main', image: 'i:2', env: [{ name: 'A', value: '2' }], ports: [{ containerPort: 80 }] },
          ],
        }),
        'fieldManager=two',
        deployments,
      ),
      applied(
        { apiVersion: 'apps/v1', kind: 'Deployment', status: { replicas: 1 } },
        'fieldManager=two',
        `${deployments}/status`,
      ),
      applied(
        { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'NAME' }, status: { replicas: 2 } },
        'fieldManager=three',
        `${deployments}/status`,
      ),
      patched(strategic, { status: { replicas: 4 } }, `${deployments}/status`),
      applied(
        { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'NAME' }, status: { replicas: 2 } },
        'fieldManager=three',
        `${deployments}/status`,
      ),
    ],
  },
  {
    name: 'managers are forgotten when a client asks, and everything is somebody’s before the first apply',
    steps: [
      create(data({ a: '1' })),
      patched(merge, { metadata: { managedFields: [{}] } }),
      patched(merge, { data: { b: '1' } }),
      applied(data({ a: '2' }), 'fieldManager=one'),
      patched(json, [{ op: 'replace', path: '/metadata/managedFields', value: [] }]),
      applied(data({ a: '1', c: '1' }), 'fieldManager=one'),
      patched(json, [{ op: 'replace', path: '/metadata/managedFields', value: [{ manager: 'x', operation: 'Odd' }] }]),
      patched(json, [{ op: 'remove', path: '/metadata/managedFields' }]),
    ],
  },
  {
    name: 'a client may write managedFields itself',
    steps: [
      create(data({ a: '1', b: '1' })),
      patched(json, [
        {
          op: 'replace',
          path: '/metadata/managedFields',
          value: [
            {
              manager: 'mine',
              operation: 'Apply',
              apiVersion: 'v1',
              fieldsType: 'FieldsV1',
              fieldsV1: { 'f:data': { 'f:a': {} } },
            },
          ],
        },
      ]),
      applied(data({}), 'fieldManager=mine'),
      create({ ...data({ z: '1' }), metadata: { name: 'NAME', managedFields: [{}] } }),
    ],
  },
  {
    name: 'of more than ten updaters the oldest become one',
    steps: [
      create(data({ a: '1' })),
      ...[...'bcdefghijklmn'].map((key) => patched(merge, { data: { [key]: '1' } }, maps, `fieldManager=m-${key}`)),
      patched(merge, { data: { a: null, b: '2' } }, maps, 'fieldManager=m-z'),
    ],
  },
  {
    name: 'kubectl goes over from client-side to server-side apply without conflict',
    steps: [
      create(
        { ...data({ a: '1', b: '1' }), metadata: { name: 'NAME', annotations: lastApplied({ a: '1', b: '1' }) } },
        'configmaps',
        'kubectl-client-side-apply',
      ),
      applied(data({ a: '2', b: '1' }), 'fieldManager=other'),
      applied(data({ a: '2', b: '1' }), 'fieldManager=kubectl'),
      patched(merge, { data: { b: '5' } }),
      applied(data({ a: '3', b: '3' }), 'fieldManager=kubectl'),
      applied(data({ a: '3', b: '3' }), 'fieldManager=kubectl&force=true'),
    ],
  },
  {
    name: 'kubectl’s own migration of managers is an ordinary JSON patch',
    steps: [
      create(
        { ...data({ a: '1' }), metadata: { name: 'NAME', annotations: lastApplied({ a: '1' }) } },
        'configmaps',
        'kubectl-client-side-apply',
      ),
      patched(json, [
        {
          op: 'replace',
          path: '/metadata/managedFields',
          value: [
            {
              manager: 'kubectl',
              operation: 'Apply',
              apiVersion: 'v1',
              fieldsType: 'FieldsV1',
              fieldsV1: { 'f:data': { '.': {}, 'f:a': {} } },
            },
          ],
        },
        { op: 'replace', path: '/metadata/resourceVersion', value: 'VERSION' },
      ]),
      applied(data({ a: '2' }), 'fieldManager=kubectl'),
    ],
  },
  {
    name: 'what changes nothing writes nothing',
    steps: [
      applied(data({ a: '1' }), 'fieldManager=one'),
      applied(data({ a: '1' }), 'fieldManager=one'),
      patched(merge, { data: { a: '1' } }),
      patched(merge, {}),
      put(map({ data: { a: '1' } }), 'two'),
      applied(data({ a: '1' }), 'fieldManager=two'),
      applied(data({ a: '1' }), 'fieldManager=two'),
      applied(data({ a: '9' }), 'fieldManager=one&force=true&dryRun=All'),
      patched(merge, { data: { a: '9' } }, maps, 'dryRun=All'),
      { method: 'GET', path: maps },
    ],
  },
  {
    name: 'managers of a custom resource, its lists and maps',
    steps: [
      applied(
        widget({
          items: [{ name: 'a' }, { name: 'b', port: 1 }],
          set: ['x'],
          atomic: ['p'],
          atomicMap: { k: 'v' },
          free: { a: { b: 1 } },
        }),
        'fieldManager=one',
        widgets,
      ),
      applied(
        widget({
          items: [{ name: 'a', port: 7, value: 'v' }],
          set: ['y', 'x'],
          atomic: ['q'],
          atomicMap: { l: 'v' },
          free: { a: { c: 1 } },
        }),
        'fieldManager=two',
        widgets,
      ),
      applied(
        widget({ items: [{ name: 'c' }, { name: 'a', value: 'v' }], set: ['y'], free: { a: { c: [1] } } }),
        'fieldManager=two&force=true',
        widgets,
      ),
      applied(widget({ items: [{ name: 'b', port: 1 }] }), 'fieldManager=one', widgets),
      applied(widget({ items: [{ name: 'a' }, { name: 'a', port: 7 }] }), 'fieldManager=one', widgets),
      applied(widget({ set: ['x', 'x'] }), 'fieldManager=one', widgets),
      applied(widget({ unknown: 1 }), 'fieldManager=one', widgets),
      applied(widget({ text: 1 }), 'fieldManager=one', widgets),
      applied(widget({ items: 'x' }), 'fieldManager=one', widgets),
      applied(widget({ either: true, map: [] }), 'fieldManager=one', widgets),
      applied({ ...widget({ text: 'x' }), status: { phase: 'p' } }, 'fieldManager=one', widgets),
      applied({ ...widget({ text: 'y' }), status: { phase: 'p' } }, 'fieldManager=one', `${widgets}/status`),
    ],
  },
  {
    name: 'managers of a custom resource are forgotten by an empty entry, not by an empty list',
    steps: [
      applied(widget({ text: 'x', map: { a: '1' } }), 'fieldManager=one', widgets),
      patched(merge, { metadata: { managedFields: [] } }, widgets),
      patched(merge, { metadata: { managedFields: [{}] } }, widgets),
      patched(merge, { spec: { map: { b: '1' } } }, widgets),
      applied(widget({ text: 'y' }), 'fieldManager=one', widgets),
      applied(widget({ text: 'y' }), 'fieldManager=one&force=true', widgets),
    ],
  },
  {
    name: 'metadata in the status of a custom resource',
    steps: [
      applied(widget({ text: 'x' }), 'fieldManager=one', widgets),
      applied(
        { ...widget({ text: 'y' }), metadata: { name: 'NAME', labels: { a: 'b' } }, status: { phase: 'p' } },
        'fieldManager=two',
        `${widgets}/status`,
      ),
    ],
  },
]

const refusals: readonly Case[] = [
  {
    name: 'an apply says who it is and what it is for',
    steps: [
      applied(data({ a: '1' }), ''),
      applied(data({ a: '1' }), `fieldManager=${'x'.repeat(129)}`),
      applied(data({ a: '1' }), 'fieldManager=a%07b'),
      applied(data({ a: '1' }), 'fieldManager=one&dryRun=some'),
      applied(data({ a: '1' }), 'fieldManager=one&fieldValidation=odd'),
      applied({ ...data({}), metadata: { name: 'another' } }, 'fieldManager=one'),
      applied({ ...data({}), metadata: { name: 'NAME', namespace: 'another' } }, 'fieldManager=one'),
      applied({ ...data({}), metadata: {} }, 'fieldManager=one'),
      applied({ ...data({}), kind: 'Secret' }, 'fieldManager=one'),
      applied({ data: {} }, 'fieldManager=one'),
      applied({ ...data({}), metadata: { name: 'NAME', managedFields: [] } }, 'fieldManager=one'),
      applied({ ...data({}), metadata: { name: 'NAME', uid: 'x' } }, 'fieldManager=one'),
      applied({ ...data({}), metadata: { name: 'NAME', resourceVersion: '1' } }, 'fieldManager=one'),
      applied(data({ a: '1' }), 'fieldManager=one'),
      applied({ ...data({ a: '2' }), metadata: { name: 'NAME', resourceVersion: '1' } }, 'fieldManager=one'),
      applied({ ...data({ a: '2' }), metadata: { name: 'NAME', resourceVersion: 'VERSION' } }, 'fieldManager=one'),
      applied({ ...data({ a: '2' }), metadata: { name: 'NAME', uid: 'x' } }, 'fieldManager=one'),
      applied({ ...data({ a: '3' }), metadata: { name: 'NAME', uid: 'UID' } }, 'fieldManager=one'),
      patched(merge, {}, maps, 'force=true'),
      { ...put(data({}), ''), query: 'fieldManager=a%07b&dryRun=x' },
      { ...create(data({})), query: `fieldManager=${'x'.repeat(129)}&fieldValidation=x` },
      { ...applied(data({}), 'fieldManager=one'), type: 'application/apply-patch+cbor' },
      { ...applied(data({}), 'fieldManager=one'), type: 'application/apply-patch+json' },
      { ...applied(data({}), 'fieldManager=one'), type: 'application/json' },
      patched(strategic, {}, widgets),
    ],
  },
  {
    name: 'a configuration has the kind’s fields, once each',
    steps: [
      applied(deployment(), 'fieldManager=one&fieldValidation=Strict', deployments),
      applied(deployment({}, { odd: 1 }), 'fieldManager=one', deployments),
      applied(deployment({}, { replicas: 'x' }), 'fieldManager=one', deployments),
      applied(deployment({}, { paused: 'x' }), 'fieldManager=one', deployments),
      applied(deployment({ nodeSelector: 'x' }), 'fieldManager=one', deployments),
      applied(deployment({ containers: [{ name: 'main' }, { name: 'main' }] }), 'fieldManager=one', deployments),
      applied(deployment({ containers: ['x'] }), 'fieldManager=one', deployments),
      applied(deployment({ containers: [null] }), 'fieldManager=one', deployments),
      applied(deployment({ containers: [{ image: 'x' }] }), 'fieldManager=one', deployments),
      applied(deployment({ schedulerName: 1 }), 'fieldManager=one', deployments),
      applied(
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME}\ndata:\n  a: "1"\n  a: "2"\n',
        'fieldManager=one&fieldValidation=Strict',
      ),
      applied(
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME}\ndata:\n  a: "1"\n  a: "2"\n',
        'fieldManager=one&fieldValidation=Ignore',
      ),
      applied('{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"NAME"},"data":{"b":"1"}}', 'fieldManager=one'),
      applied('[]', 'fieldManager=one'),
      applied('', 'fieldManager=one'),
    ],
  },
  {
    name: 'a service account’s secrets need names before an apply',
    steps: [
      create(
        { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'NAME' }, secrets: [{ kind: 'x' }] },
        'serviceaccounts',
      ),
      applied(
        { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'NAME', labels: { a: 'b' } } },
        'fieldManager=one',
        'serviceaccounts/NAME',
      ),
    ],
  },
  {
    name: 'a JSON patch that does not fit changes nothing',
    steps: [
      create(map({ data: { a: '1' }, metadata: { finalizers: ['x.io/a', 'x.io/b'] } })),
      patched(json, [{ op: 'test', path: '/data/a', value: '2' }]),
      patched(json, [{ op: 'test', path: '/data/none', value: null }]),
      patched(json, [{ op: 'test', path: '/no/such', value: null }]),
      patched(json, [{ op: 'remove', path: '/data/none' }]),
      patched(json, [{ op: 'remove', path: '/metadata/finalizers/7' }]),
      patched(json, [{ op: 'remove', path: '/metadata/finalizers/-1' }]),
      patched(json, [{ op: 'add', path: '/metadata/finalizers/01', value: 'x.io/c' }]),
      patched(json, [{ op: 'add', path: '/metadata/finalizers/x', value: 'x.io/c' }]),
      patched(json, [{ op: 'replace', path: '/data/new', value: '1' }]),
      patched(json, [{ op: 'replace', path: '/none/new', value: '1' }]),
      patched(json, [{ op: 'add', path: '/data/nothing' }]),
      patched(json, [{ op: 'copy', from: '/data/a', path: '/data/copy' }]),
      patched(json, [{ op: 'copy', from: '/none/a', path: '/data/copy' }]),
      patched(json, [{ op: 'move', from: '/data/none', path: '/data/copy' }]),
      patched(json, [{ op: 'odd', path: '/data/a' }]),
      patched(json, [{ op: 'add', value: '1' }]),
      patched(json, [{ op: 'add', path: '/data/x', value: '1', extra: 1 }], maps, 'fieldValidation=Strict'),
      patched(json, [{ op: 'add', path: '/odd', value: '1' }], maps, 'fieldValidation=Strict'),
      patched(json, [{ op: 'add', path: '/odd', value: '1' }]),
      patched(json, [{ op: 'remove', path: '/metadata/name' }]),
      patched(json, [{ op: 'replace', path: '/metadata/name', value: 'other' }]),
      patched(json, [{ op: 'replace', path: '/kind', value: 'Secret' }]),
      patched(json, {}),
      patched(json, {}, maps, 'fieldValidation=Ignore'),
      patched(json, ''),
      patched(
        json,
        [...Array(10_000)].map(() => ({ op: 'test', path: '/data/a', value: '1' })),
      ),
      patched(
        json,
        [...Array(10_001)].map(() => ({ op: 'test', path: '/data/a', value: '1' })),
      ),
      { ...patched(json, '{'), path: 'configmaps/none' },
    ],
  },
  {
    name: 'a merge patch is an object',
    steps: [
      create(data({ a: '1' })),
      patched(merge, []),
      patched(merge, 'null'),
      patched(merge, '"x"', maps, 'fieldValidation=Ignore'),
      patched(merge, ''),
      patched(merge, { odd: 1 }, maps, 'fieldValidation=Strict'),
      patched(merge, { odd: 1 }),
      patched(merge, { metadata: null }),
      patched(merge, { metadata: { name: 'other' } }),
      patched(merge, { metadata: { namespace: 'other' } }),
      patched(merge, { metadata: { resourceVersion: '1' }, data: { b: '1' } }),
      patched(merge, { metadata: { resourceVersion: 'VERSION' }, data: { b: '1' } }),
      patched(merge, { data: { c: null, d: { e: null } } }),
      patched(merge, { apiVersion: 'v2' }),
    ],
  },
  {
    name: 'strategic merge patch has its directives',
    steps: [
      create(
        deployment({ volumes: [{ name: 'v', emptyDir: {} }], tolerations: [{ key: 'k', operator: 'Exists' }] }),
        'deployments',
      ),
      patched(strategic, { spec: { template: { spec: { containers: [{ image: 'x' }] } } } }, deployments),
      patched(
        strategic,
        { spec: { template: { spec: { containers: [{ name: 'main', $patch: 'odd' }] } } } },
        deployments,
      ),
      patched(
        strategic,
        { spec: { template: { spec: { containers: [{ name: 'main', $patch: 'merge' }] } } } },
        deployments,
      ),
      patched(strategic, { spec: { template: { spec: { containers: [{ $patch: 'delete' }] } } } }, deployments),
      patched(strategic, { spec: { template: { $patch: 'odd' } } }, deployments),
      patched(strategic, { spec: { template: { spec: { containers: ['x'] } } } }, deployments),
      patched(
        strategic,
        { spec: { template: { spec: { containers: [{ $patch: 'replace' }, { name: 'new', image: 'n' }] } } } },
        deployments,
      ),
      patched(
        strategic,
        {
          spec: {
            template: {
              spec: { volumes: [{ name: 'v', $retainKeys: ['name', 'secret'], secret: { secretName: 's' } }] },
            },
          },
        },
        deployments,
      ),
      patched(
        strategic,
        {
          spec: {
            template: { spec: { volumes: [{ name: 'v', $retainKeys: ['name'], secret: { secretName: 's' } }] } },
          },
        },
        deployments,
      ),
      patched(strategic, { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } }, deployments),
      patched(strategic, { spec: { strategy: { $retainKeys: 'type', type: 'Recreate' } } }, deployments),
      patched(
        strategic,
        { spec: { template: { spec: { nodeSelector: { a: 'b', $patch: 'replace' } } } } },
        deployments,
      ),
      patched(strategic, { metadata: { finalizers: ['x.io/a', 'x.io/b'], labels: { a: 'b', c: null } } }, deployments),
      patched(
        strategic,
        {
          metadata: {
            '$deleteFromPrimitiveList/finalizers': ['x.io/a'],
            '$setElementOrder/finalizers': ['x.io/c', 'x.io/b'],
            finalizers: ['x.io/c'],
          },
        },
        deployments,
      ),
      patched(
        strategic,
        { metadata: { '$setElementOrder/finalizers': ['x.io/b', 'x.io/c'], finalizers: ['x.io/c', 'x.io/b'] } },
        deployments,
      ),
      patched(strategic, { metadata: { '$setElementOrder/finalizers': 'x' } }, deployments),
      patched(strategic, { metadata: { finalizers: [1] } }, deployments),
      patched(strategic, { spec: { replicas: null, odd: 1 } }, deployments, 'fieldValidation=Strict'),
      patched(strategic, { spec: { replicas: null, odd: 1 } }, deployments),
      patched(strategic, { spec: { replicas: 'x' } }, deployments),
      patched(strategic, [], deployments),
      patched(strategic, '', deployments),
      patched(strategic, { $patch: 'delete' }, deployments),
    ],
  },
]

/** Where the embedded one answers otherwise on purpose. An entry that no longer holds fails the test. */
export interface Deviation {
  readonly name: string
  readonly step: number
  readonly because: string
  /** Only of this minor version of Kubernetes. */
  readonly minor?: number
}

const kindChanges =
  'It says in words that a patch makes another kind of the object; the real one tries to read the result as that kind.'
export const deviations: readonly Deviation[] = [
  { name: 'a JSON patch that does not fit changes nothing', step: 22, because: kindChanges },
  { name: 'a merge patch is an object', step: 13, because: kindChanges },
  {
    name: 'metadata in the status of a custom resource',
    step: 1,
    minor: 36,
    because:
      'The embedded one is a 1.34, where who sends metadata along with a custom status owns it though it is not written.',
  },
  {
    name: 'strategic merge patch has its directives',
    step: 20,
    because:
      'A value of another type is worded as in every other request; the real one has a second decoder here, with words of its own.',
  },
]

export const cases: readonly Case[] = [...ownership, ...refusals]
