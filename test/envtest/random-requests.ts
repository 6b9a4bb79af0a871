/** Random requests about every kind that the embedded API server has: a seed gives them all. */
import type { Reply } from '../kube-contract/cluster.ts'
import { customKind, metadataFields, type RandomKind, randomKinds } from './random-kinds.ts'
import { Dice, type Tree } from './random-writes.ts'
import type { Step, StepOf } from './side-by-side.ts'

const names = ['one', 'two', 'three']
const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null

/** A change of an object, drawn before it is known what it is made to. */
type Change = (object: Tree) => void

function setAt(object: Tree, place: string, value: unknown): void {
  const steps = place.split('.')
  const last = steps.pop() ?? ''
  let here: Tree = object
  for (const step of steps) {
    if (!isTree(here[step])) return
    here = here[step]
  }
  if (value === undefined) delete here[last]
  else here[last] = structuredClone(value)
}

/** Values of another type than any field expects, at any place. */
const odd = [null, '', 0, -1, 5, 'x', true, [], {}, ['x'], { a: 'b' }, 1.5]

/** Where names and places stand is nothing to try, nor where a Service would get an address from the real one. */
const untouched = ['name', 'namespace', 'kind', 'apiVersion', 'clusterIP', 'clusterIPs']

function oddChange(dice: Dice): Change {
  const turns = Array.from({ length: 6 }, () => dice.below(1000))
  const value = dice.pick<unknown>(odd)
  return (object) => {
    let here: Tree = object
    for (const turn of turns) {
      const members = Object.keys(here)
        .sort()
        .filter((member) => !untouched.includes(member))
      const member = members[turn % Math.max(1, members.length)]
      if (member === undefined) return
      const next: unknown = here[member]
      if (isTree(next) && turn % 5 !== 0) {
        here = next
        continue
      }
      here[member] = structuredClone(value)
      return
    }
  }
}

function changeOf(dice: Dice, kind: RandomKind, part: 'all' | 'status'): Change {
  if (dice.chance(6)) return oddChange(dice)
  const fields = part === 'status' ? (kind.statusFields ?? []) : dice.chance(25) ? metadataFields : kind.fields
  const [place, values] = dice.pick(fields)
  const value = dice.pick(values)
  return (object) => setAt(object, place, value)
}

const changesOf = (dice: Dice, kind: RandomKind, part: 'all' | 'status' = 'all'): Change => {
  // Two faults of a custom resource are told in any order: Go walks maps that way.
  const counts = kind === customKind ? [0, 1, 1, 1] : [0, 1, 1, 1, 2, 3]
  const changes = Array.from({ length: dice.pick(counts) }, () => changeOf(dice, kind, part))
  return (object) => {
    for (const change of changes) change(object)
  }
}

const pathOf = ({ apiVersion, plural }: RandomKind, ns: string) =>
  `/${apiVersion.includes('/') ? 'apis' : 'api'}/${apiVersion}/namespaces/${ns}/${plural}`

function fresh(kind: RandomKind, ns: string, name: string): Tree {
  const content = JSON.parse(JSON.stringify(kind.base()).replaceAll('"NS"', JSON.stringify(ns)))
  return { apiVersion: kind.apiVersion, kind: kind.kind, metadata: { name }, ...content }
}

/** What the server showed last of an object; a new one if it showed none. */
function lastOf(seen: readonly Reply[], kind: RandomKind, ns: string, name: string): Tree {
  const shown = seen.findLast(
    ({ status, body }) =>
      status < 300 && body?.kind === kind.kind && body.metadata?.name === name && body.apiVersion === kind.apiVersion,
  )
  return shown ? structuredClone(shown.body) : fresh(kind, ns, name)
}

/** A Job hands its name on to labels of its own, which the real one makes after it looked at them. */
const badNames = ({ plural }: RandomKind) => ['a.b', '', ...(plural === 'jobs' ? [] : ['a/b', 'Bad_', 'x'.repeat(64)])]

const validation = ['', '', '', 'dryRun=All', 'fieldValidation=Strict', 'fieldValidation=Ignore', 'fieldManager=m']
const tables = 'application/json;as=Table;v=v1;g=meta.k8s.io'
const metadataOnly = 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io'
const patchTypes = ['merge-patch+json', 'strategic-merge-patch+json', 'json-patch+json', 'apply-patch+yaml']

/** From one requests to another: where a name is asked for it is one of few, so that they meet. */
class Requests {
  readonly #dice: Dice
  readonly #ns: string
  readonly #kinds: readonly RandomKind[]

  constructor(dice: Dice, ns: string, kinds: readonly RandomKind[]) {
    this.#dice = dice
    this.#ns = ns
    this.#kinds = kinds
  }

  next(): StepOf {
    const dice = this.#dice
    const kind = dice.pick(this.#kinds)
    const name = dice.pick(names)
    const forms = [
      ...[this.#create, this.#create, this.#create, this.#replace, this.#replace, this.#putBack, this.#putBack],
      ...[this.#patch, this.#patch, this.#patch, this.#read, this.#list, this.#remove, this.#release],
      ...(kind.statusFields ? [this.#status, this.#status] : []),
      ...(kind.scaled ? [this.#scale] : []),
      ...(kind.plural === 'pods' ? [this.#onPod] : []),
      ...(dice.chance(15) ? [this.#removeAll] : []),
    ]
    return dice.pick(forms).call(this, kind, name)
  }

  #path(kind: RandomKind, name = '', subresource = ''): string {
    const path = pathOf(kind, this.#ns)
    return `${path}${name && `/${name}`}${subresource && `/${subresource}`}`
  }

  #create(kind: RandomKind, name: string): Step {
    const body = fresh(kind, this.#ns, name)
    changesOf(this.#dice, kind)(body)
    if (this.#dice.chance(4)) setAt(body, 'metadata.name', undefined)
    if (this.#dice.chance(3)) setAt(body, 'metadata.name', this.#dice.pick(badNames(kind)))
    return {
      method: 'POST',
      path: withQuery(this.#path(kind), this.#dice.pick(validation)),
      body,
      options: this.#form(),
    }
  }

  #replace(kind: RandomKind, name: string): Step {
    const body = fresh(kind, this.#ns, name)
    changesOf(this.#dice, kind)(body)
    return { method: 'PUT', path: withQuery(this.#path(kind, name), this.#dice.pick(validation)), body }
  }

  #putBack(kind: RandomKind, name: string): StepOf {
    const change = changesOf(this.#dice, kind)
    const path = withQuery(this.#path(kind, name), this.#dice.pick(validation))
    const unversioned = this.#dice.chance(40)
    return (seen) => {
      const body = lastOf(seen, kind, this.#ns, name)
      if (unversioned) setAt(body, 'metadata.resourceVersion', undefined)
      change(body)
      return { method: 'PUT', path, body }
    }
  }

  #patch(kind: RandomKind, name: string): StepOf {
    return this.#patchOf(kind, name, 'all')
  }

  #status(kind: RandomKind, name: string): StepOf {
    if (this.#dice.chance(50)) return this.#patchOf(kind, name, 'status')
    const change = changesOf(this.#dice, kind, 'status')
    const path = withQuery(this.#path(kind, name, 'status'), this.#dice.pick(validation))
    return (seen) => {
      const body = lastOf(seen, kind, this.#ns, name)
      setAt(body, 'metadata.resourceVersion', undefined)
      body['status'] ??= {}
      change(body)
      return { method: 'PUT', path, body }
    }
  }

  /** What is sent is how an empty object becomes, so that a patch names few fields. */
  #patchOf(kind: RandomKind, name: string, part: 'all' | 'status'): Step {
    const dice = this.#dice
    const type = dice.pick(patchTypes)
    const target = fresh(kind, this.#ns, name)
    if (part === 'status') target['status'] = {}
    changesOf(dice, kind, part)(target)
    const apply = type === 'apply-patch+yaml'
    const query = [
      dice.pick(validation),
      apply ? `fieldManager=${dice.pick(['m', 'n'])}` : '',
      apply && dice.chance(50) ? 'force=true' : '',
    ]
    const path = withQuery(this.#path(kind, name, part === 'status' ? 'status' : ''), ...query)
    const body = type === 'json-patch+json' ? this.#operations(target) : apply ? target : this.#some(target)
    return { method: 'PATCH', path, body, options: { contentType: `application/${type}` } }
  }

  #some(target: Tree): Tree {
    const kept = Object.entries(target).filter(([member]) => !['apiVersion', 'kind'].includes(member))
    return Object.fromEntries(this.#dice.chance(80) ? kept : Object.entries(target))
  }

  #operations(target: Tree): Tree[] {
    const dice = this.#dice
    return Array.from({ length: dice.pick([1, 1, 2]) }, () => {
      const member = dice.pick(Object.keys(target).filter((key) => key !== 'apiVersion' && key !== 'kind'))
      const inner = isTree(target[member]) && dice.chance(50) ? dice.pick(['', ...Object.keys(target[member])]) : ''
      const path = inner === '' ? `/${member}` : `/${member}/${inner.replaceAll('/', '~1')}`
      const value = inner === '' ? target[member] : target[member][inner]
      return dice.pick<Tree>([
        { op: 'add', path, value },
        { op: 'replace', path, value },
        { op: 'replace', path: '/metadata/labels', value: { set: 'p' } },
        { op: 'remove', path },
        { op: 'test', path, value },
        { op: 'add', path: '/metadata/annotations/x', value: 'y' },
        { op: 'copy', from: path, path: '/data' },
        { op: 'nothing', path },
      ])
    })
  }

  #form(): { headers?: Record<string, string> } {
    if (this.#dice.chance(90)) return {}
    return { headers: { accept: this.#dice.pick([tables, metadataOnly, `${tables},application/json`]) } }
  }

  #read(kind: RandomKind, name: string): Step {
    const dice = this.#dice
    const subresource = dice.pick([
      '',
      '',
      '',
      ...(kind.statusFields ? ['status'] : []),
      ...(kind.scaled ? ['scale'] : []),
    ])
    const query = dice.pick(['', '', '', 'resourceVersion=0', 'resourceVersion=x', 'pretty=true'])
    const options = subresource === 'scale' ? {} : this.#form()
    return { method: 'GET', path: withQuery(this.#path(kind, name, subresource), query), options }
  }

  #list(kind: RandomKind): Step {
    const dice = this.#dice
    const label = dice.pick([
      '',
      'labelSelector=set%3Da',
      'labelSelector=set',
      'labelSelector=!set',
      'labelSelector=set+in+(a,b)',
    ])
    // What each namespace has of its own.
    const own = 'metadata.name!=default,metadata.name!=kube-root-ca.crt'
    const field = `fieldSelector=${[own, ...(dice.chance(40) ? [dice.pick(kind.selectors)] : [])].join(',')}`
    const limit = dice.pick(['', '', 'limit=1', 'limit=2', 'resourceVersion=0'])
    return { method: 'GET', path: withQuery(this.#path(kind), label, field, limit), options: this.#form() }
  }

  #remove(kind: RandomKind, name: string): StepOf {
    const dice = this.#dice
    const seconds = dice.pick([undefined, 0, 5, -1])
    // A Job leaves its pods to the garbage collector by default, which only runs in the embedded one.
    const collected = kind.plural === 'jobs'
    const form = collected ? 'policy' : dice.pick(['none', 'none', 'own', 'uid', 'version', 'wrong', 'policy', 'bad'])
    const path = withQuery(this.#path(kind, name), dice.pick(['', '', '', 'dryRun=All', 'gracePeriodSeconds=0']))
    const base = {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      ...(seconds === undefined ? {} : { gracePeriodSeconds: seconds }),
    }
    return (seen) => {
      const { uid = 'none', resourceVersion = '1' } = lastOf(seen, kind, this.#ns, name)['metadata'] ?? {}
      const bodies: Tree = {
        none: undefined,
        own: base,
        uid: { ...base, preconditions: { uid } },
        version: { ...base, preconditions: { resourceVersion } },
        wrong: { ...base, preconditions: { uid: 'wrong' } },
        policy: { ...base, propagationPolicy: 'Background' },
        bad: { ...base, propagationPolicy: 'Sometimes' },
      }
      return { method: 'DELETE', path, body: bodies[form] }
    }
  }

  /** What a finalizer holds goes. */
  #release(kind: RandomKind, name: string): Step {
    const body = { metadata: { finalizers: null } }
    return {
      method: 'PATCH',
      path: this.#path(kind, name),
      body,
      options: { contentType: 'application/merge-patch+json' },
    }
  }

  #removeAll(kind: RandomKind): Step {
    const query = this.#dice.pick(['labelSelector=set%3Da', 'labelSelector=set', 'fieldSelector=metadata.name%3Done'])
    const dryRun = kind.plural === 'jobs' ? 'dryRun=All' : this.#dice.pick(['', '', 'dryRun=All'])
    return { method: 'DELETE', path: withQuery(this.#path(kind), query, dryRun) }
  }

  /** Not stored: who owns the replicas then is kept otherwise. */
  #scale(kind: RandomKind, name: string): StepOf {
    const dice = this.#dice
    const replicas = dice.pick<unknown>([0, 2, -1, 'x', undefined])
    const path = withQuery(this.#path(kind, name, 'scale'), 'dryRun=All')
    if (dice.chance(50))
      return {
        method: 'PATCH',
        path,
        body: { spec: { replicas } },
        options: { contentType: 'application/merge-patch+json' },
      }
    const metadata = dice.pick<Tree>([{ name }, { name: 'other' }, { name, resourceVersion: '1' }, {}])
    return { method: 'PUT', path, body: { apiVersion: 'autoscaling/v1', kind: 'Scale', metadata, spec: { replicas } } }
  }

  #onPod(kind: RandomKind, name: string): Step {
    const dice = this.#dice
    if (dice.chance(50)) {
      const target = dice.pick<Tree>([{ kind: 'Node', name: 'node' }, { name: 'node' }, { kind: 'Pod', name: 'x' }, {}])
      return { method: 'POST', path: this.#path(kind, name, 'binding'), body: { metadata: { name }, target } }
    }
    const deleteOptions = dice.pick<unknown>([
      undefined,
      { gracePeriodSeconds: 0 },
      { dryRun: ['All'] },
      { preconditions: { uid: 'x' } },
    ])
    const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name }, deleteOptions }
    return { method: 'POST', path: this.#path(kind, name, 'eviction'), body }
  }
}

function withQuery(path: string, ...parts: readonly string[]): string {
  const query = parts.filter((part) => part !== '').join('&')
  return query === '' ? path : `${path}?${query}`
}

/** About few kinds each time, so that requests meet the same objects often. */
export function randomRequests(ns: string, seed: number, count: number): StepOf[] {
  const dice = new Dice(seed)
  const kinds = dice.shuffled(randomKinds).slice(0, 3)
  const requests = new Requests(dice, ns, kinds)
  return Array.from({ length: count }, () => requests.next())
}
