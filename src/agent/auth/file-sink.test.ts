import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { FakeClock } from '../../lib/fake-clock.ts'
import { systemRandom } from '../../lib/random.ts'
import { createLog } from '../log.ts'
import { FileSink } from './file-sink.ts'

const folder = mkdtempSync(join(tmpdir(), 'coffer-sink-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

it('a token that comes while the last one is still being written is the one that stays', async () => {
  const clock = new FakeClock()
  const log = createLog({ level: 'error', format: 'standard', clock, write: () => undefined })
  const path = join(folder, 'token')
  const sink = new FileSink({ config: { path, mode: 0o640 }, clock, random: systemRandom, log })
  const { signal } = new AbortController()
  // Megabytes, so that the older write certainly takes longer.
  await Promise.all([sink.write('older'.repeat(8_000_000), signal), sink.write('newer', signal)])
  expect(readFileSync(path, 'utf8').slice(0, 20)).toBe('newer')
})
