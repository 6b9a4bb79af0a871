// `npm run test:all`: suites for programs that are found already built or installed, each skip printed with its reason. A
// suite that COFFER_REQUIRE names (comma-separated; `envtest` means each version) fails when its program is missing.
// Suites may be named: `npm run test:all -- envtest-1.34`. A name that no suite has is a failure.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { missingClients } from '../test/clients/programs.mjs'
import { controlPlanes, isBuilt } from '../test/envtest/assets.mjs'
import { missingPostgres } from '../test/postgres/programs.mjs'
import { missingMoto } from '../test/seals/moto.mjs'
import { missingSoftHsm } from '../test/seals/pkcs11.mjs'

const root = new URL('..', import.meta.url).pathname
const required = new Set((process.env.COFFER_REQUIRE ?? '').split(',').filter(Boolean))
const scratch = mkdtempSync(join(tmpdir(), 'coffer-test-all-'))

/** unit and wire on the other Node.js versions that Coffer supports. */
const nodeSuite = (name) => {
  const node = join(root, '.ci/node_modules', name, 'bin/node')
  return {
    name,
    missing: existsSync(node) ? undefined : `${node} is not installed; \`npm ci --prefix .ci\` brings it`,
    run: () => vitest(node, ['unit', 'wire'], join(scratch, `${name}.json`)),
  }
}

/** The Kubernetes contract, and what else needs a real control plane, on each version that this repository pins. */
const controlPlaneSuites = () => {
  const own = process.env.KUBEBUILDER_ASSETS
  if (own)
    return [controlPlaneSuite('envtest', existsSync(own) ? undefined : `KUBEBUILDER_ASSETS=${own} is no folder`, {})]
  return controlPlanes.map((plane) =>
    controlPlaneSuite(
      `envtest-${plane.minor}`,
      isBuilt(plane)
        ? undefined
        : `Kubernetes ${plane.version} is not built; \`npm run envtest:build -- ${plane.minor}\` does it`,
      { COFFER_ENVTEST: plane.minor },
    ),
  )
}

/** Clients of other makers, as their registries have them. */
const clientSuite = () => ({
  name: 'clients',
  missing: missingClients(),
  run: () => vitest(process.execPath, ['clients'], join(scratch, 'clients.json')),
})

/** What is kept by something else: keys in AWS's KMS as moto plays it, or in an HSM as SoftHSM does; snapshots in S3 (moto). */
const sealSuite = (kind, missing) => ({
  name: `seals-${kind}`,
  missing,
  run: () => vitest(process.execPath, ['seals'], join(scratch, `seals-${kind}.json`), {}, [`test/seals/${kind}`]),
})

/** The storage, and servers on it, on a real PostgreSQL. */
const postgresSuite = () => ({
  name: 'postgres',
  missing: missingPostgres(),
  run: () => vitest(process.execPath, ['postgres'], join(scratch, 'postgres.json')),
})

/** What is killed, cut, delayed, put to sleep and set wrong under load; a history of what was answered is judged. */
const faultsSuite = () => ({
  name: 'faults',
  missing: missingPostgres(),
  run: () => vitest(process.execPath, ['faults'], join(scratch, 'faults.json')),
})

/** The HTTP layer under ten times ten thousand mutated requests, and every operation under each of its hostile values. */
const fuzzSuite = () => ({
  name: 'fuzz',
  run: () =>
    vitest(process.execPath, ['wire'], join(scratch, 'fuzz.json'), { COFFER_FUZZ: '100000', COFFER_WALK_SHARE: '1' }, [
      'fuzz',
      'endpoints',
    ]),
})

/**
 * A real control plane on a busy machine has pauses of its own (watch caches, garbage collection, leases) that no deadline of
 * ours bounds: files that failed run once more, alone, on a fresh one. What passes only then is named, and counted.
 */
const controlPlaneSuite = (name, missing, env) => {
  const run = (report, files) => vitest(process.execPath, ['envtest'], join(scratch, report), env, files)
  return {
    name,
    missing,
    run: () => run(`${name}.json`, []),
    again: async (first) => {
      if (first.failed === 0 || first.failedFiles.length === 0 || first.failedFiles.length > 3) return first
      console.log(`${name}: once more, alone: ${first.failedFiles.join(', ')}`)
      const second = await run(`${name}-again.json`, first.failedFiles)
      if (second.failed > 0) return first
      console.log(`${name}: UNSTEADY, failed once and passed alone: ${first.failedTests.join('; ')}`)
      return { ...first, passed: first.passed + first.failed, failed: 0 }
    },
  }
}

/** Then what a suite says comes in one piece, at its end. */
let besideOthers = false

async function vitest(node, projects, report, env = {}, files = []) {
  const args = [join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...projects.flatMap((p) => ['--project', p])]
  args.push(...files, '--reporter=dot', '--reporter=json', `--outputFile.json=${report}`)
  const code = await new Promise((resolve, reject) => {
    const output = besideOthers ? 'pipe' : 'inherit'
    const child = spawn(node, args, { cwd: root, env: { ...process.env, ...env }, stdio: ['ignore', output, output] })
    const said = []
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data) => said.push(data))
    child.on('error', reject)
    child.on('close', (ended) => {
      process.stdout.write(Buffer.concat(said))
      resolve(ended)
    })
  })
  const counts = { passed: 0, failed: code === 0 ? 0 : 1, skipped: 0, failedFiles: [], failedTests: [] }
  if (!existsSync(report)) return { ...counts, failed: 1 }
  const result = JSON.parse(readFileSync(report, 'utf8'))
  const failed = result.testResults.filter((file) => file.status === 'failed')
  return {
    passed: result.numPassedTests,
    skipped: result.numPendingTests + result.numTodoTests,
    failed: Math.max(counts.failed, result.numFailedTests),
    failedFiles: failed.map((file) => relative(root, file.name)),
    failedTests: failed.flatMap((file) =>
      file.assertionResults.filter((test) => test.status === 'failed').map((test) => test.fullName),
    ),
  }
}

/** What could not even be counted is one failure: the other lanes go on, and what they say is not lost. */
async function counted({ name }, work) {
  try {
    return await work()
  } catch (error) {
    console.log(`${name}: ${error.stack}`)
    return { passed: 0, failed: 1, skipped: 0, failedFiles: [], failedTests: [] }
  }
}

const total = { passed: 0, failed: 0, skipped: 0 }
// Rounds come one after the other. What computes has one to itself; in the others each lane waits for other programs most of
// the time, and lanes go on at the same time.
const rounds = [
  [[nodeSuite('node22')]],
  [[nodeSuite('node24')]],
  [[fuzzSuite()]],
  [
    [postgresSuite()],
    [
      clientSuite(),
      sealSuite('awskms', missingMoto()),
      sealSuite('s3', missingMoto()),
      sealSuite('pkcs11', missingSoftHsm()),
    ],
  ],
  [[faultsSuite()]],
  controlPlaneSuites().map((suite) => [suite]),
]
const named = process.argv.slice(2)
const isNamed = ({ name }) => named.length === 0 || named.some((part) => name.startsWith(part))

/** Whether it can run; else that is counted and said. */
function isThere(suite) {
  if (!suite.missing) return true
  const isRequired = [...required].some((part) => suite.name.startsWith(part))
  total[isRequired ? 'failed' : 'skipped'] += 1
  console.log(`${suite.name}: ${isRequired ? 'MISSING and required' : 'skipped'}: ${suite.missing}`)
  return false
}

const suites = rounds.flat(2)
// wrk is the benchmarks': they ask for it themselves.
for (const part of new Set([...named, ...[...required].filter((name) => name !== 'wrk')])) {
  if (suites.some(({ name }) => name.startsWith(part))) continue
  total.failed += 1
  console.log(`${part}: no suite is called that: ${suites.map(({ name }) => name).join(', ')}`)
}

for (const round of rounds) {
  const lanes = round
    .map((lane) => lane.filter((suite) => isNamed(suite) && isThere(suite)))
    .filter((lane) => lane.length)
  besideOthers = lanes.length > 1
  if (besideOthers)
    console.log(`at the same time: ${lanes.map((lane) => lane.map(({ name }) => name).join(', ')).join(' | ')}`)
  const ran = await Promise.all(
    lanes.map(async (lane) => {
      const results = []
      for (const suite of lane) {
        const started = Date.now()
        const counts = await counted(suite, suite.run)
        results.push({ suite, counts, seconds: ((Date.now() - started) / 1000).toFixed(0) })
      }
      return results
    }),
  )
  besideOthers = false
  for (const { suite, counts: first, seconds } of ran.flat()) {
    const counts = suite.again ? await counted(suite, () => suite.again(first)) : first
    for (const key of Object.keys(total)) total[key] += counts[key]
    console.log(
      `${suite.name}: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped, ${seconds} s`,
    )
  }
}
rmSync(scratch, { recursive: true, force: true })
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
process.exitCode = total.failed ? 1 : 0
