// `npm test`: the suites that need nothing but Node, one after the other, with one closing line over all of them.
// Suites may be named: `node scripts/test.mjs unit wire`.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = new URL('..', import.meta.url).pathname
const named = process.argv.slice(2)
const suites = named.length ? named : ['unit', 'wire', 'contract', 'e2e']
const scratch = mkdtempSync(join(tmpdir(), 'coffer-test-'))
const total = { passed: 0, failed: 0, skipped: 0 }

for (const suite of suites) {
  const report = join(scratch, `${suite}.json`)
  const started = Date.now()
  const code = await new Promise((resolve) => {
    const args = [
      join(root, 'node_modules/vitest/vitest.mjs'),
      'run',
      '--project',
      suite,
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
    ]
    spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] }).on('close', resolve)
  })
  try {
    const result = JSON.parse(readFileSync(report, 'utf8'))
    total.passed += result.numPassedTests
    total.failed += result.numFailedTests
    total.skipped += result.numPendingTests + result.numTodoTests
    // A file that breaks before its first test counts as one failure.
    if (code !== 0 && result.numFailedTests === 0) total.failed += 1
  } catch {
    total.failed += 1
  }
  console.log(`suite ${suite}: exit ${code}, ${((Date.now() - started) / 1000).toFixed(1)} s`)
}
rmSync(scratch, { recursive: true, force: true })
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
process.exitCode = total.failed ? 1 : 0
