import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { makeFolder } from './make-folder.ts'

const scratch = mkdtempSync(join(tmpdir(), 'make-folder-'))
afterAll(() => rmSync(scratch, { recursive: true }))

const modeOf = (...parts: string[]) => statSync(join(scratch, ...parts)).mode & 0o777

describe('makeFolder', () => {
  it('makes those above it too, each with the mode', () => {
    makeFolder(join(scratch, 'a/b/c'))
    expect([modeOf('a'), modeOf('a/b'), modeOf('a/b/c')]).toEqual([0o700, 0o700, 0o700])
    makeFolder(join(scratch, 'd/e/'), 0o755)
    expect([modeOf('d'), modeOf('d/e')]).toEqual([0o755, 0o755])
  })

  it('leaves one that is there as it is', () => {
    makeFolder(join(scratch, 'kept'))
    chmodSync(join(scratch, 'kept'), 0o755)
    makeFolder(join(scratch, 'kept'))
    expect(modeOf('kept')).toBe(0o755)
  })

  it('says what is in the way', () => {
    writeFileSync(join(scratch, 'file'), '')
    expect(() => makeFolder(join(scratch, 'file'))).toThrow('EEXIST')
    expect(() => makeFolder(join(scratch, 'file/below'))).toThrow(
      `EEXIST: file already exists, mkdir '${join(scratch, 'file')}'`,
    )
  })

  it.runIf(process.platform === 'linux')('ends where the system says that there is no parent', () => {
    expect(() => makeFolder('/proc/coffer/data')).toThrow('ENOENT')
  })
})
