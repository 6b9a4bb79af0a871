// `npm run test:all`: suites for programs that are found already installed, each skip printed with its reason. A suite that
// COFFER_REQUIRE names (comma-separated) fails when its program is missing.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

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

function vitest(node, projects, report) {
  const args = [join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...projects.flatMap((p) => ['--project', p])]
  args.push('--reporter=dot', '--reporter=json', `--outputFile.json=${report}`)
  return new Promise((resolve) => {
    spawn(node, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] }).on('close', (code) => {
      const counts = { passed: 0, failed: code === 0 ? 0 : 1, skipped: 0 }
      if (existsSync(report)) {
        const result = JSON.parse(readFileSync(report, 'utf8'))
        counts.passed = result.numPassedTests
        counts.skipped = result.numPendingTests + result.numTodoTests
        counts.failed = Math.max(counts.failed, result.numFailedTests)
      }
      resolve(counts)
    })
  })
}

const total = { passed: 0, failed: 0, skipped: 0 }
for (const suite of [nodeSuite('node22'), nodeSuite('node24')]) {
  if (suite.missing) {
    const isRequired = required.has(suite.name)
    total[isRequired ? 'failed' : 'skipped'] += 1
    console.log(`${suite.name}: ${isRequired ? 'MISSING and required' : 'skipped'}: ${suite.missing}`)
    continue
  }
  const counts = await suite.run()
  for (const key of Object.keys(total)) total[key] += counts[key]
  console.log(`${suite.name}: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`)
}
rmSync(scratch, { recursive: true, force: true })
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
process.exitCode = total.failed ? 1 : 0
