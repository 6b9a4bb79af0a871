// The gate before every commit: format and lint, types, architecture, dead code, generated files. Prints each step's time; exits 1 if one fails.
import { spawn } from 'node:child_process'

const root = new URL('..', import.meta.url).pathname
const steps = [
  ['format and lint', ['npx', 'biome', 'check', '.']],
  ['types', ['npx', 'tsc', '-p', '.']],
  ['architecture, licences, copies', ['npx', 'vitest', 'run', '--project', 'unit', 'test/']],
  ['generated files: CRDs', ['npx', 'tsx', 'scripts/generate-crds.ts', '--check']],
  ['generated files: reference', ['npx', 'tsx', 'scripts/generate-reference.ts', '--check']],
  ['dead code', ['npx', 'knip', '--no-progress']],
]

const run = ([command, ...args]) =>
  new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.on('data', (d) => (output += d))
    child.stderr.on('data', (d) => (output += d))
    child.on('close', (code) => resolve({ code, output }))
  })

let failed = 0
for (const [name, command] of steps) {
  const started = Date.now()
  const { code, output } = await run(command)
  console.log(`${code === 0 ? 'ok  ' : 'FAIL'} ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`)
  if (code !== 0) {
    failed += 1
    console.log(output)
  }
}
console.log(`${steps.length - failed} passed, ${failed} failed`)
process.exitCode = failed ? 1 : 0
