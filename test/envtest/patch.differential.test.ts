/**
 * Random writes by a few managers: the embedded API server answers them, and owns fields, as the real one does. A failure
 * names its seed.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Clock } from '../../src/lib/clock.ts'
import { systemClock } from '../../src/lib/clock.ts'
import {
  type Cluster,
  clientOf,
  eventually,
  minorVersion,
  openEmbeddedCluster,
  type Reply,
} from '../kube-contract/cluster.ts'
import type { ControlPlane } from './control-plane.ts'
import { type CaseStep, cases, deviations } from './patch-cases.ts'
import { makeNamespace, randomRun, startUncontrolled } from './random-run.ts'
import { Dice, firstStep, type Kind, kinds, nextStep, owners, type Step, type Tree, widgets } from './random-writes.ts'

const { firstSeed, sequences, steps } = randomRun({ sequences: 48, steps: 12 })

/** Says what the real one said last, so that times and what follows from them are equal. */
let nowMs = Date.now()
const clock: Clock = { ...systemClock, now: () => nowMs }
let plane: ControlPlane
let real: Cluster
let embedded: Cluster
const namespace = 'patch-differential'
const uids: { cluster: Cluster; uid: string; name: string }[] = []
const rename = (text: string, cluster: Cluster, from: 'uid' | 'name', to: 'uid' | 'name') =>
  uids.filter((each) => each.cluster === cluster).reduce((out, each) => out.replaceAll(each[from], each[to]), text)

beforeAll(async () => {
  plane = await startUncontrolled()
  real = clientOf({ ...plane, close: () => plane.stop() })
  embedded = await openEmbeddedCluster({ clock })
  for (const cluster of [real, embedded]) {
    await makeNamespace(cluster, namespace)
    await cluster.post('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', widgets)
    for (const name of owners) {
      const owner = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } }
      const { uid } = (await cluster.post(`/api/v1/namespaces/${namespace}/configmaps`, owner)).body.metadata
      uids.push({ cluster, uid, name: `uid-of-${name}` })
    }
    const list = `/apis/patch.example.com/v1/namespaces/${namespace}/widgets`
    await eventually(async () => (await cluster.get(list)).status === 200)
  }
})
afterAll(async () => {
  await embedded?.close()
  await real?.close()
})

const collection = ({ apiVersion, plural }: Kind) =>
  `/${apiVersion.includes('/') ? 'apis' : 'api'}/${apiVersion}/namespaces/${namespace}/${plural}`

async function send(cluster: Cluster, kind: Kind, name: string, step: Step): Promise<Reply> {
  const path = step.method === 'POST' ? collection(kind) : `${collection(kind)}/${name}${step.subresource}`
  const live = (await cluster.get(`${collection(kind)}/${name}`)).body
  const body = rename(JSON.stringify(step.body(live)), cluster, 'name', 'uid')
  const reply = await cluster.send(step.method, `${path}?${step.query}`, body, { contentType: step.contentType })
  const text = rename(reply.text, cluster, 'uid', 'name')
  return { ...reply, text, body: JSON.parse(text) }
}

/** Where two answers differ: path, embedded, real. */
function differences(got: unknown, wanted: unknown, path = ''): string[] {
  if (JSON.stringify(got) === JSON.stringify(wanted)) return []
  if (
    typeof got !== 'object' ||
    typeof wanted !== 'object' ||
    !got ||
    !wanted ||
    Array.isArray(got) !== Array.isArray(wanted)
  )
    return [`${path}: embedded ${JSON.stringify(got)}, real ${JSON.stringify(wanted)}`]
  const [left, right] = [got as Tree, wanted as Tree]
  return [...new Set([...Object.keys(left), ...Object.keys(right)])].flatMap((key) =>
    differences(left[key], right[key], `${path}/${key}`),
  )
}

/** Newest of the times in managedFields, else of the answer. */
function timeOf(reply: Reply): number {
  const fields: Tree[] = reply.body?.metadata?.managedFields ?? []
  const times = fields.map(({ time }) => Date.parse(time)).filter((time) => !Number.isNaN(time))
  return Math.max(...times, nowMs, Date.parse(String(reply.headers['date'] ?? '')) - 1000)
}

/** What differs by nature is made equal. */
function comparable(reply: Reply, versions: string[]): unknown {
  const body = structuredClone(reply.body)
  if (typeof body === 'string') return { status: reply.status, body }
  const { metadata } = body
  if (body.kind === 'Status') {
    for (const cause of body.details?.causes ?? []) if (cause.message) cause.message = plain(cause.message)
    body.message = plain(body.details?.group === customGroup ? inOrder(body.message) : body.message)
    // In no order, and as often as validations say it.
    if (body.details?.causes)
      body.details.causes = [...new Set(body.details.causes.map((cause: Tree) => JSON.stringify(cause)))].sort()
    return { status: reply.status, body }
  }
  versions.push(metadata.resourceVersion)
  const changed = versions.at(-1) !== versions.at(-2)
  Object.assign(metadata, { uid: 'uid', creationTimestamp: 'then', resourceVersion: changed ? 'new' : 'as before' })
  return { status: reply.status, body }
}

/** Keys of a list that the clusters name differently sort differently. */
const sortedPaths = (text: string) => {
  const lines = text.split('\n')
  return text.includes('uid-of-') ? [lines[0], ...lines.slice(1).sort()].join('\n') : text
}

const customGroup = 'patch.example.com'
/** The faults of a custom resource come as Go walks a map: in any order. */
const inOrder = (message: string) =>
  message.replace(/is invalid: \[(.*)\]$/s, (_, faults: string) => {
    const each = faults.split(/, (?=[\w.[\]]+: (?:Invalid|Required|Unsupported|Forbidden|Too|Duplicate|Internal))/)
    return `is invalid: [${each.sort().join(', ')}]`
  })

/** Go prints maps and quotes what it refuses in its own way. */
const plain = (text: string) =>
  sortedPaths(text)
    .replace(/(`spec.terminationGracePeriodSeconds` \(.*?\)).*/s, '$1')
    .replace(/Invalid value: (null|\{\}): /g, 'Invalid value: nothing: ')
    .replace(/(cannot unmarshal \w+) into Go .*/s, '$1')
    .replace(/patch: Invalid value: ".*": /s, 'patch: Invalid value: …: ')
    .replace(/Invalid value: "\{.*\}": /s, 'Invalid value: …: ')

/** Some strategic patches make a kube-apiserver panic; it cuts the connection, and there is nothing to compare with. */
function cutOff(error: Error): undefined {
  if (error.message !== 'socket hang up') throw error
}

async function run(seed: number, kind: Kind): Promise<void> {
  const dice = new Dice(seed)
  const name = `seed-${seed}`
  const last = new Map<string, Tree>()
  const trace: string[] = []
  const versions: { real: string[]; embedded: string[] } = { real: [], embedded: [] }
  for (let index = 0; index < steps; index++) {
    const step = index === 0 ? firstStep(dice, kind, name) : nextStep(dice, kind, name, last)
    const wanted = await send(real, kind, name, step).catch(cutOff)
    if (!wanted) continue
    nowMs = timeOf(wanted)
    const got = await send(embedded, kind, name, step)
    const live = (await real.get(`${collection(kind)}/${name}`)).body
    trace.push(`${step.label}: ${step.method} ${step.query} ${JSON.stringify(step.body(live))} → ${wanted.status}`)
    const found = differences(comparable(got, versions.embedded), comparable(wanted, versions.real))
    expect(
      found,
      `seed ${seed}, ${kind.name}, step ${index}:\n${trace.slice(-3).join('\n')}\n${found.join('\n')}\n`,
    ).toEqual([])
    // Nothing was made, so there is nothing to go on with.
    if (index === 0 && (await real.get(`${collection(kind)}/${name}`)).status !== 200) return
  }
}

describe('random writes are answered alike', () => {
  for (const [index, kind] of kinds.entries()) {
    for (let sequence = 0; sequence < Math.ceil(sequences / kinds.length); sequence++) {
      const seed = firstSeed + index * 100_000 + sequence
      it(`of a ${kind.name}, seed ${seed}`, () => run(seed, kind))
    }
  }
})

const folders: Readonly<Record<string, string>> = {
  configmaps: '/api/v1',
  serviceaccounts: '/api/v1',
  deployments: '/apis/apps/v1',
  widgets: '/apis/patch.example.com/v1',
}

async function tell(cluster: Cluster, name: string, { method = 'PATCH', path, query = '', type, body }: CaseStep) {
  const [plural = '', object] = path.split('/')
  const place = `${folders[plural]}/namespaces/${namespace}`
  const { metadata = {} } = object === undefined ? {} : (await cluster.get(`${place}/${plural}/${name}`)).body
  const text = typeof body === 'string' ? body : body === undefined ? undefined : JSON.stringify(body)
  const sent = text
    ?.replaceAll('NAME', name)
    .replaceAll('UID', metadata.uid ?? 'none')
    .replaceAll('VERSION', metadata.resourceVersion ?? 'none')
  const options = type === undefined ? {} : { contentType: type }
  return cluster.send(method, `${place}/${path.replace('NAME', name)}?${query}`, sent, options)
}

describe('writes with a point are answered alike', () => {
  for (const [index, { name, steps }] of cases.entries())
    it(name, async () => {
      const versions: { real: string[]; embedded: string[] } = { real: [], embedded: [] }
      const found: string[] = []
      for (const [number, step] of steps.entries()) {
        const wanted = await tell(real, `case-${index}`, step)
        nowMs = timeOf(wanted)
        const got = await tell(embedded, `case-${index}`, step)
        const differs = differences(comparable(got, versions.embedded), comparable(wanted, versions.real))
        const known = deviations.find(
          (each) => each.name === name && each.step === number && (each.minor ?? minorVersion) === minorVersion,
        )
        if (known && differs.length === 0) found.push(`step ${number} no longer differs: ${known.because}`)
        if (!known && differs.length > 0) found.push(`step ${number} ${JSON.stringify(step).slice(0, 400)}`, ...differs)
      }
      expect(found, `${name}\n${found.join('\n')}\n`).toEqual([])
    })
})
