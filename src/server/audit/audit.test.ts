import { createReadStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, expect, it } from 'vitest'
import { FakeClock } from '../../lib/fake-clock.ts'
import { silentLog } from '../../lib/log.ts'
import { systemRandom } from '../../lib/random.ts'
import type { AuditedRequest } from '../contracts/audit.ts'
import { FakeRows } from '../contracts/fake-rows.ts'
import { AuditBroker } from './broker/audit-broker.ts'
import { readEvidence } from './broker/audit-rows.ts'
import { fileAudit } from './file/file.ts'
import { verifyAudit } from './verify/verify-audit.ts'

const dir = mkdtempSync(join(tmpdir(), 'coffer-audit-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))
const path = join(dir, 'audit.log')

const request: AuditedRequest = {
  id: 'r',
  at: 0,
  operation: 'read',
  path: 'secret/data/x',
  namespace: { id: 'root', path: '' },
  data: { value: 'canary' },
  headers: {},
  remote: { address: '127.0.0.1', port: 1 },
  wrapTtlMs: 0,
}

it('what two brokers wrote to one file over restarts verifies, and one changed byte is found', async () => {
  const rows = new FakeRows()
  const start = async (node: string) => {
    const devices = { file: fileAudit({ directories: [dir], stdout: new PassThrough() }) }
    const clock = new FakeClock()
    const broker = new AuditBroker({ rows, clock, random: systemRandom, log: silentLog, devices, node })
    await broker.refresh()
    return broker
  }
  const one = await start('one')
  await one.enable('file', { type: 'file', options: { file_path: path } })
  const two = await start('two')
  for (let i = 0; i < 20; i += 1)
    await Promise.all([one.request(request), two.exchange(request, { at: 1, data: undefined, warnings: [] })])
  await one.close()
  const again = await start('one')
  await again.request(request)
  await Promise.all([two.close(), again.close()])

  const evidence = await readEvidence(rows)
  const heads = evidence?.heads ?? []
  const key = evidence?.key ?? new Uint8Array()
  const found = await verifyAudit({ files: [{ name: 'audit.log', bytes: createReadStream(path) }], key, heads })
  expect(found).toEqual({ intact: true, lines: 20 + 40 + 1 + 3 * 2, chains: 3, problems: [], unprovenTail: 0 })

  const text = readFileSync(path, 'utf8')
  expect(text).not.toContain('canary')
  writeFileSync(path, text.replace('secret/data/x', 'secret/data/y'))
  const changed = await verifyAudit({ files: [{ name: 'audit.log', bytes: createReadStream(path) }], key, heads })
  expect(changed.problems.map((p) => p.kind)).toEqual(['altered'])
})
