import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'

const folder = mkdtempSync(join(tmpdir(), 'coffer-pid-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const file = join(folder, 'server.pid')

it('the file with the pid goes with a process that ends itself: one that could not stop in time, or whose storage failed', () => {
  const code = `
      const { writePidFile } = await import(${JSON.stringify(new URL('process-files.ts', import.meta.url).href)})
      writePidFile(${JSON.stringify(file)}, process.pid)
      console.log((await import('node:fs')).existsSync(${JSON.stringify(file)}))
      process.exit(0)`
  const said = execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code])
  expect([String(said), existsSync(file)]).toEqual(['true\n', false])
})
