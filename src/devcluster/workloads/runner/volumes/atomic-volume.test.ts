import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { FakeClock } from '../../../../lib/fake-clock.ts'
import { systemRandom } from '../../../../lib/random.ts'
import { AtomicVolume, type Payload } from './atomic-volume.ts'

const base = mkdtempSync(join(tmpdir(), 'coffer-volume-'))
afterAll(() => rmSync(base, { recursive: true, force: true }))

const payload = (files: Record<string, string>, mode = 0o640): Payload =>
  new Map(Object.entries(files).map(([path, text]) => [path, { content: Buffer.from(text), mode }]))
const newVolume = () =>
  new AtomicVolume({ dir: mkdtempSync(join(base, 'v-')), clock: new FakeClock(), random: systemRandom })

describe('atomic volume', () => {
  it('has its files under their names, with their modes, behind one link', async () => {
    const volume = newVolume()
    expect(await volume.write(payload({ a: '1', 'deep/b': '2' }))).toBe(true)
    expect(readFileSync(join(volume.dir, 'a'), 'utf8')).toBe('1')
    expect(readFileSync(join(volume.dir, 'deep/b'), 'utf8')).toBe('2')
    expect(statSync(join(volume.dir, 'deep/b')).mode & 0o777).toBe(0o640)
    expect(readlinkSync(join(volume.dir, 'a'))).toBe('..data/a')
    expect(readlinkSync(join(volume.dir, 'deep'))).toBe('..data/deep')
  })

  it('changes all files at once, drops names that went, and leaves no old files', async () => {
    const volume = newVolume()
    await volume.write(payload({ a: '1', b: '1' }))
    const before = readlinkSync(join(volume.dir, '..data'))
    expect(await volume.write(payload({ a: '2', c: '2' }))).toBe(true)
    expect(readlinkSync(join(volume.dir, '..data'))).not.toBe(before)
    const names = readdirSync(volume.dir)
    expect(names.filter((name) => !name.startsWith('..')).sort()).toEqual(['a', 'c'])
    expect(names.filter((name) => name.startsWith('..')).length).toBe(2)
    expect(readFileSync(join(volume.dir, 'a'), 'utf8')).toBe('2')
  })

  it('a write that fails leaves the old files, none of the new ones, and does not stop the next', async () => {
    const volume = newVolume()
    await volume.write(payload({ a: '1' }))
    const before = readdirSync(volume.dir).sort()
    await expect(volume.write(payload({ a: '2', 'a/b': '2' }))).rejects.toThrow()
    expect(readdirSync(volume.dir).sort()).toEqual(before)
    symlinkSync('cut', join(volume.dir, '..data_tmp'))
    await volume.write(payload({ a: '3' }))
    expect(readFileSync(join(volume.dir, 'a'), 'utf8')).toBe('3')
    expect(readdirSync(volume.dir).filter((name) => name.startsWith('..')).length).toBe(2)
  })

  it('the same content is no change', async () => {
    const volume = newVolume()
    await volume.write(payload({ a: '1' }))
    const before = readlinkSync(join(volume.dir, '..data'))
    expect(await volume.write(payload({ a: '1' }))).toBe(false)
    expect(readlinkSync(join(volume.dir, '..data'))).toBe(before)
    expect(await volume.write(payload({ a: '1' }, 0o600))).toBe(true)
  })
})
