import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, beforeEach, expect, it } from 'vitest'
import { fileAudit } from './file.ts'

const root = mkdtempSync(join(tmpdir(), 'coffer-file-audit-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
let dir = ''
let count = 0
beforeEach(() => {
  count += 1
  dir = join(root, `d${count}`)
  mkdirSync(dir)
})

const lines = (...texts: string[]) => texts.map((text) => Buffer.from(`${text}\n`))
const signal = new AbortController().signal
const open = (path: string, more: Record<string, string> = {}, directories = [dir]) =>
  fileAudit({ directories, stdout: new PassThrough() }).open({ file_path: path, ...more })

it('appends whole lines in order to a file that only its owner can read', async () => {
  const path = join(dir, 'audit.log')
  const device = await open(path)
  await device.write(lines('one', 'two'), signal)
  await device.write(lines('three'), signal)
  await device.close()
  expect(readFileSync(path, 'utf8')).toBe('one\ntwo\nthree\n')
  expect(statSync(path).mode & 0o777).toBe(0o600)
  const again = await open(path)
  await again.write(lines('four'), signal)
  await again.close()
  expect(readFileSync(path, 'utf8')).toBe('one\ntwo\nthree\nfour\n')
})

it('takes thousands of lines at once', async () => {
  const path = join(dir, 'audit.log')
  const device = await open(path)
  const many = Array.from({ length: 5000 }, (_, i) => `line ${i}`)
  await device.write(lines(...many), signal)
  await device.close()
  expect(readFileSync(path, 'utf8')).toBe(`${many.join('\n')}\n`)
})

it('writes each line once and in order, whether or not they lie behind one another in memory', async () => {
  const path = join(dir, 'audit.log')
  writeFileSync(path, 'cut of')
  const memory = Buffer.from('one\ntwo\n----three\nfour\n')
  const device = await open(path)
  const [one, two] = [memory.subarray(0, 4), memory.subarray(4, 8)]
  const [three, four] = [memory.subarray(12, 18), memory.subarray(18, 23)]
  await device.write([one, two, three, four, ...lines('five'), two, one, four], signal)
  await device.write([], signal)
  await device.close()
  expect(readFileSync(path, 'utf8')).toBe('cut of\none\ntwo\nthree\nfour\nfive\ntwo\none\nfour\n')
})

it('ends a line that was cut off before it writes its own', async () => {
  const path = join(dir, 'audit.log')
  writeFileSync(path, 'whole\ncut of')
  const device = await open(path)
  await device.write(lines('next'), signal)
  await device.write(lines('after'), signal)
  await device.close()
  expect(readFileSync(path, 'utf8')).toBe('whole\ncut of\nnext\nafter\n')
})

it('sets the mode that was asked for, and leaves it alone for 0000', async () => {
  const path = join(dir, 'audit.log')
  writeFileSync(path, '')
  chmodSync(path, 0o644)
  await (await open(path, { mode: '0000' })).close()
  expect(statSync(path).mode & 0o777).toBe(0o644)
  await (await open(path, { mode: '0640' })).close()
  expect(statSync(path).mode & 0o777).toBe(0o640)
  await expect(open(path, { mode: 'rw' })).rejects.toMatchObject({ status: 400 })
})

it('reopen goes on in a new file after rotation', async () => {
  const path = join(dir, 'audit.log')
  const device = await open(path)
  await device.write(lines('old'), signal)
  renameSync(path, `${path}.1`)
  const writing = device.write(lines('still old'), signal)
  await device.reopen?.()
  await writing
  await device.write(lines('new'), signal)
  await device.close()
  expect(readFileSync(`${path}.1`, 'utf8')).toBe('old\nstill old\n')
  expect(readFileSync(path, 'utf8')).toBe('new\n')
})

it('refuses every path outside the allowed folders, by links too', async () => {
  const outside = join(root, `outside${count}`)
  mkdirSync(outside)
  symlinkSync(outside, join(dir, 'link'))
  symlinkSync(join(outside, 'target'), join(dir, 'file-link'))
  const refused = { status: 400 }
  await expect(open(join(outside, 'a.log'))).rejects.toMatchObject(refused)
  await expect(open(join(dir, '..', `outside${count}`, 'a.log'))).rejects.toMatchObject(refused)
  await expect(open(join(dir, 'link', 'a.log'))).rejects.toMatchObject(refused)
  await expect(open(join(dir, 'file-link'))).rejects.toMatchObject(refused)
  await expect(open(`${dir}x/a.log`)).rejects.toMatchObject(refused)
  await expect(open('a.log')).rejects.toMatchObject(refused)
  await expect(open('')).rejects.toMatchObject({ status: 400, message: 'file_path is required' })
  await expect(open(join(dir, 'a.log'), {}, [])).rejects.toMatchObject(refused)
  await expect(open('/dev/null', {}, ['/dev'])).rejects.toMatchObject({ message: 'file_path is not a regular file' })
  await expect(open(dir, {}, [root])).rejects.toMatchObject(refused)
  expect(existsSync(join(outside, 'a.log'))).toBe(false)
  expect(existsSync(join(outside, 'target'))).toBe(false)
})

it('writes to standard output or nowhere when told so', async () => {
  const stdout = new PassThrough()
  const type = fileAudit({ directories: [], stdout })
  const out = await type.open({ file_path: 'stdout' })
  await out.write(lines('seen'), signal)
  expect(String(stdout.read())).toBe('seen\n')
  const none = await type.open({ path: 'discard' })
  await none.write(lines('unseen'), signal)
  await Promise.all([out.close(), none.close()])
})

it('does not write after it was aborted', async () => {
  const path = join(dir, 'audit.log')
  const device = await open(path)
  await expect(device.write(lines('late'), AbortSignal.abort(new Error('too late')))).rejects.toThrow('too late')
  await device.close()
  expect(readFileSync(path, 'utf8')).toBe('')
})
