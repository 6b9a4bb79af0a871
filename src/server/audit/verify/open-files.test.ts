import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, expect, it } from 'vitest'
import { auditLines } from './audit-file.ts'
import { openAuditFiles } from './open-files.ts'

const dir = mkdtempSync(join(tmpdir(), 'coffer-audit-files-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

it('reads plain and compressed files in the order in which they were written, not that of their names', async () => {
  const path = (name: string) => join(dir, name)
  writeFileSync(path('audit.log'), '{"time":"2026-01-03T00:00:00Z","n":3}\n')
  writeFileSync(path('audit.log.1'), '{"time":"2026-01-02T00:00:00Z","n":2}\n')
  writeFileSync(path('audit.log.2.gz'), gzipSync('p: {"time":"2026-01-01T00:00:00Z","n":1}\n'.repeat(3)))
  writeFileSync(path('empty'), '')
  const files = await openAuditFiles(['audit.log', 'audit.log.1', 'audit.log.2.gz', 'empty'].map(path))
  expect(files.map(({ name }) => name.slice(dir.length + 1))).toEqual([
    'empty',
    'audit.log.2.gz',
    'audit.log.1',
    'audit.log',
  ])
  const lines: string[] = []
  for (const file of files)
    for await (const { bytes } of auditLines(file)) lines.push(Buffer.from(bytes).toString().slice(-3))
  expect(lines).toEqual([':1}', ':1}', ':1}', ':2}', ':3}'])
})

it('a file that is missing, or is no proper gzip, is an error', async () => {
  await expect(openAuditFiles([join(dir, 'none')])).rejects.toThrow('ENOENT')
  const path = join(dir, 'broken.gz')
  writeFileSync(path, gzipSync('{"time":"x"}\n'.repeat(1000)).subarray(0, 30))
  const read = async () => {
    for (const file of await openAuditFiles([path])) for await (const _ of auditLines(file));
  }
  await expect(read()).rejects.toThrow('unexpected end of file')
})
