/**
 * Authorisation under 1,000 policies of 50 rules each against authorisation under one: exact paths, prefixes and `+` in equal
 * parts, compiled once per set, as the pipeline asks. Median of interleaved rounds. Exits 1 above twice the cost.
 * `--report` only prints.
 */

import { systemClock } from '../src/lib/clock.ts'
import { epochKey, rootNamespace } from '../src/server/contracts/epochs.ts'
import { FakeRows } from '../src/server/contracts/fake-rows.ts'
import type { Acl } from '../src/server/policies/acl.ts'
import { PolicyStore } from '../src/server/policies/policy-store.ts'

const limit = 2
const [policyCount, ruleCount] = [1000, 50]
const rounds = 41
const checksPerRound = 20_000

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

function policyText(policy: number): string {
  return Array.from({ length: ruleCount }, (_, rule) => {
    const path = [`exact/t${rule}`, `prefix/t${rule}/*`, `any/+/t${rule}`][rule % 3]
    return `path "secret/data/p${policy}/${path}" { capabilities = ["read", "list"] }`
  }).join('\n')
}

/** Paths that rules of the first policy decide, and one in ten that none does. */
function questions(): string[] {
  return Array.from({ length: 500 }, (_, i) => {
    const rule = i % ruleCount
    if (i % 10 === 9) return `secret/data/p0/nothing/t${i}`
    return `secret/data/p0/${[`exact/t${rule}`, `prefix/t${rule}/a/b`, `any/x/t${rule}`][rule % 3]}`
  })
}

function round(acl: Acl, paths: readonly string[]): number {
  const start = performance.now()
  let allowed = 0
  for (let i = 0; i < checksPerRound; i += 1) {
    if (acl.check({ path: paths[i % paths.length] ?? '', operation: 'read' }).allowed) allowed += 1
  }
  const elapsed = performance.now() - start
  if (allowed !== checksPerRound * 0.9) throw new Error(`${allowed} of ${checksPerRound} were allowed`)
  return (elapsed / checksPerRound) * 1e6
}

async function main(): Promise<boolean> {
  const rows = new FakeRows()
  const store = new PolicyStore({ rows, namespace: rootNamespace, clock: systemClock })
  const epoch = () => rows.rows.get(epochKey(rootNamespace.id, 'policies'))?.version ?? ''
  const names = Array.from({ length: policyCount }, (_, i) => `policy-${i}`)
  for (const [i, name] of names.entries()) await store.put(name, { text: policyText(i) })
  const start = performance.now()
  const many = await store.acl(names, epoch())
  console.log(`compiled ${policyCount * ruleCount} rules once in ${Math.round(performance.now() - start)} ms`)
  const one = await store.acl(names.slice(0, 1), epoch())
  if ((await store.acl(names, epoch())) !== many) throw new Error('the compiled set was not kept')
  const paths = questions()
  const times = { one: [] as number[], many: [] as number[] }
  for (let i = 0; i < rounds; i += 1) {
    times.one.push(round(one, paths))
    times.many.push(round(many, paths))
  }
  await store.put('policy-0', { text: policyText(policyCount) })
  const after = await store.acl(names, epoch())
  const changed = !after.check({ path: paths[0] ?? '', operation: 'read' }).allowed
  const ratio = median(times.many) / median(times.one)
  console.log(
    `1 policy: ${median(times.one).toFixed(0)} ns, ${policyCount}: ${median(times.many).toFixed(0)} ns per decision`,
  )
  console.log(
    `ratio ${ratio.toFixed(2)}, at most ${limit}; a change counts on the next request: ${changed ? 'yes' : 'no'}`,
  )
  return changed && ratio <= limit
}

const good = await main()
if (!good && !process.argv.includes('--report')) process.exitCode = 1
