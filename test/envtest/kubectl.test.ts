/** The embedded API beside a real one, through the eyes of an unmodified kubectl. */
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { minorVersion } from '../kube-contract/cluster.ts'
import { manifests, nodeStatus, podStatus } from './kubectl/manifests.ts'
import { differencesTo, type Step, script } from './kubectl/script.ts'
import { comparable, openTwoClusters, type TwoClusters } from './kubectl/two-clusters.ts'

const namespace = `kubectl-${randomBytes(3).toString('hex')}`
const named = (text: string) => text.replaceAll('NS', namespace)
const differences = differencesTo(minorVersion)
let clusters: TwoClusters

beforeAll(async () => {
  clusters = await openTwoClusters(namespace)
  for (const [file, text] of Object.entries(manifests)) await writeFile(join(clusters.folder, file), named(text))
})
afterAll(async () => {
  await clusters?.close()
})

function wordsOf(line: string): string[] {
  const stand: Readonly<Record<string, string>> = { STATUS: podStatus, KUBELET: nodeStatus(clusters.kubeletPort) }
  const words = named(line).match(/'[^']*'|(?:[^\s']|'[^']*')+/g) ?? []
  return words.map((word) => stand[word] ?? word.replace(/'/g, ''))
}

async function both({ line, env, unordered, wordless }: Step) {
  const words = wordsOf(line)
  const outcomes = await Promise.all([clusters.embedded.run(words, env), clusters.real.run(words, env)])
  const [embedded, real] = outcomes.map(({ stdout, stderr, code }) => {
    const lines = comparable(stdout)
      .split('\n')
      .filter((text) => !wordless || /\t<|^ *enum:|^(GROUP|KIND|VERSION|FIELD|FIELDS):/.test(text))
    return [`exit ${code}`, ...(unordered ? lines.sort() : lines), ...comparable(stderr).split('\n')].join('\n')
  })
  return { embedded, real }
}

async function settled(step: Step) {
  const end = performance.now() + 20_000
  for (;;) {
    const seen = await both(step)
    if (!step.settles || seen.embedded === seen.real || performance.now() > end) return seen
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

describe('kubectl sees on the embedded API what it sees on the real one', () => {
  it('in a script of at least eighty lines', () => {
    expect(script.length).toBeGreaterThanOrEqual(80)
    const lines = script.map(({ line }) => line)
    expect(Object.keys(differences).filter((line) => !lines.includes(line))).toEqual([])
  })

  it.each(script.map((step) => [step.line, step] as const))('%s', async (line, step) => {
    const { embedded, real } = await settled(step)
    if (differences[line] === undefined) expect(embedded).toBe(real)
    else expect(embedded, `no difference any more; it was: ${differences[line]}`).not.toBe(real)
  })
})
