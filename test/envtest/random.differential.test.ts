/**
 * Random requests of every form about every kind, to both API servers: the same answers. A failure names its seed.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type Cluster,
  clientOf,
  eventually,
  minorVersion,
  openEmbeddedCluster,
  type Reply,
} from '../kube-contract/cluster.ts'
import { randomRequests } from './random-requests.ts'
import { makeNamespace, randomRun, startUncontrolled } from './random-run.ts'
import { widgets } from './random-writes.ts'
import { differences, play, type Shown, type Step } from './side-by-side.ts'

const { firstSeed, sequences, steps } = randomRun({ sequences: 20, steps: 80 })

let real: Cluster
let embedded: Cluster

beforeAll(async () => {
  const plane = await startUncontrolled()
  const client = clientOf({ ...plane, close: () => plane.stop() })
  real = { ...client, send: (...sent) => client.send(...sent).catch(cutOff) }
  embedded = await openEmbeddedCluster()
  for (const cluster of [real, embedded]) {
    await cluster.post('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', widgets)
    const list = '/apis/patch.example.com/v1/namespaces/default/widgets'
    await eventually(async () => (await cluster.get(list)).status === 200)
  }
})
afterAll(async () => {
  await embedded?.close()
  await real?.close()
})

/** Some strategic patches make a kube-apiserver panic; it cuts the connection, and there is nothing to compare with. */
function cutOff(error: Error): Reply {
  if (error.message !== 'socket hang up') throw error
  return { status: 0, headers: {}, body: {}, text: '' }
}

/** What is worded in another way: in Go's own values, or by a later version (objects.differential.test.ts has them one by one). */
const words: readonly (readonly [RegExp, string])[] = [
  [/Invalid value: "?[{[].*[}\]]"?: /gs, 'Invalid value: …: '],
  // Texts that have a type of their own.
  [/ of type (v1|types)\.[A-Z]\w+/g, ' of type string'],
  [/Invalid value: (null|\{\}): /g, 'Invalid value: …: '],
  // Go walks maps in any order, and stops at the first member that it does not know.
  [/(failed to create typed patch object \(.*?\): )(errors:|.*field not declared in schema).*/gs, '$1…'],
  [/(unable to convert unstructured object to [^:]*: ).*/gs, '$1…'],
  // What becomes of a patched object is read by another of Go's decoders for each form of patch.
  [/(is invalid: patch: Invalid value: )(?!.*strict decoding).*/s, '$1…'],
  [/, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`/g, ', `configMapKeyRef` or `secretKeyRef`'],
  [/(allow it to be set to 1 if it was previously negative\)).*/s, '$1'],
  [/\bmust be no more than (\d+) bytes/g, 'must be no more than $1 characters'],
  [/\ba valid label key must/g, 'a qualified name must'],
]

/** Members that only tell how columns are described, in few words here. */
function plain(value: unknown): unknown {
  if (typeof value === 'string') return words.reduce((text, [from, to]) => text.replace(from, to), value)
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  // The words of a fault in a patched object are those of the message.
  const isPatch = 'field' in value && value.field === 'patch'
  const kept = Object.entries(value).filter(
    ([member]) => member !== 'description' && !(isPatch && member === 'message'),
  )
  return Object.fromEntries(kept.map(([member, content]) => [member, plain(content)]))
}

/** 1.36 lists service accounts without their secrets, lets names of Services begin with a digit, looks at whole numbers twice. */
function isMeant(line: string, asked: readonly Step[]): boolean {
  if (/, real 0 undefined$/.test(line)) return true
  if (minorVersion < 36) return false
  if (/Checked value must be of type integer/.test(line)) return true
  const { path = '' } = asked[Number.parseInt(line, 10)] ?? {}
  if (/\/serviceaccounts\b/.test(path)) return /\.(columnDefinitions|cells)\b/.test(line)
  if (/\/services\b/.test(path)) return /a DNS-1035 label must /.test(line)
  // It names the pods' spec where 1.34 names the template.
  return /\/jobs\b/.test(path) && /, spec\.template: Invalid .*real .*spec\.template\.spec: Invalid/.test(line)
}

const plainBodies = (answers: readonly Shown[]) => answers.map((answer) => ({ ...answer, body: plain(answer.body) }))

describe('random requests are answered alike', () => {
  it.each(Array.from({ length: sequences }, (_, n) => firstSeed + n))('seed %i', async (seed) => {
    const name = `random-${seed}`
    await Promise.all([makeNamespace(real, name), makeNamespace(embedded, name)])
    const script = randomRequests(name, seed, steps)
    const asked: Step[] = []
    const [ours, theirs] = await Promise.all([play(embedded, script), play(real, script, (step) => asked.push(step))])
    const lines = differences(plainBodies(ours), plainBodies(theirs)).filter((line) => !isMeant(line, asked))
    // What comes after the first may come of it.
    const told = lines.slice(0, 5).map((line) => `${line}\n  ${JSON.stringify(asked[Number.parseInt(line, 10)])}`)
    expect(lines, `seed ${seed}:\n${told.join('\n')}\n`).toEqual([])
  })
})
