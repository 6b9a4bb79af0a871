import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { cacheFileOf, packCache, readScript, runPackage, runScript } from './compiled-script.ts'

const folder = mkdtempSync(join(tmpdir(), 'coffer-compiled-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

// Each of its own name: V8 remembers what it compiled under one.
let file: string
let count = 0
const cache = () => cacheFileOf(file)

const source = `(function (exports, require, module, __filename, importLater) {
  "use strict";
  const words = () => require('node:path').basename(__filename) + ' of ' + 'one';
  exports.words = words;
  exports.later = (name) => importLater(name);
  exports.fail = () => { throw new Error('failed') };
})`

/** As a build does: compiled after it has run. */
function compileInto(text: string): void {
  writeFileSync(file, text)
  rmSync(cache(), { force: true })
  const { script, source: bytes } = readScript(file)
  run(script)
  writeFileSync(cache(), packCache(bytes, script.createCachedData()))
}

function run(script: ReturnType<typeof readScript>['script']): string {
  const { words } = exportsOf(runScript({ script }, file, async () => undefined))
  return words()
}

function exportsOf(exports: unknown): any {
  return exports
}

/** As another process finds it: here V8 knows already what it compiled, by its name. */
function renamed(): typeof file {
  const copy = join(folder, `copy${count}.js`)
  copyFileSync(file, copy)
  copyFileSync(cache(), cacheFileOf(copy))
  return copy
}

function changed(path: string, change: (bytes: Buffer) => Buffer): void {
  writeFileSync(path, change(readFileSync(path)))
}

describe('a program as a script beside its compiled form', () => {
  beforeEach(() => {
    count += 1
    file = join(folder, `program${count}.js`)
    compileInto(source)
  })

  it('is not compiled again', () => {
    const read = readScript(renamed())
    expect([read.cached, run(read.script)]).toEqual([true, `program${count}.js of one`])
  })

  it('runs without the compiled form', () => {
    rmSync(cache())
    const read = readScript(file)
    expect([read.cached, run(read.script)]).toEqual([false, `program${count}.js of one`])
  })

  // V8 compares only its length.
  it('is compiled anew when the source changed, be it to one of the same length', () => {
    changed(file, (bytes) => Buffer.from(String(bytes).replace("'one'", "'two'")))
    const read = readScript(file)
    expect([read.cached, run(read.script)]).toEqual([false, `program${count}.js of two`])
  })

  // Some bytes end the process when V8 reads them.
  it.each([
    ['one bit is wrong', (bytes: Buffer) => flipped(bytes, bytes.length - 20)],
    ['one bit of the digest is wrong', (bytes: Buffer) => flipped(bytes, 3)],
    ['it is cut', (bytes: Buffer) => bytes.subarray(0, bytes.length - 8)],
    ['it is cut within the digest', (bytes: Buffer) => bytes.subarray(0, 10)],
    ['it is empty', () => Buffer.alloc(0)],
    ['it is of another program', (bytes: Buffer) => packCache(Buffer.from('x'), bytes.subarray(32))],
  ])('is compiled anew when, in the compiled form, %s', (_, change) => {
    changed(cache(), change)
    const read = readScript(file)
    expect([read.cached, run(read.script)]).toEqual([false, `program${count}.js of one`])
  })

  it('is compiled anew under flags that compile otherwise', () => {
    setFlagsFromString('--no-lazy')
    try {
      const read = readScript(renamed())
      expect([read.cached, run(read.script)]).toEqual([false, `program${count}.js of one`])
    } finally {
      setFlagsFromString('--lazy')
    }
  })

  it('is not compiled again under limits of the heap, which stay', () => {
    const limits = ['--max-old-space-size=300', '--max-semi-space-size=32', '--min-semi-space-size=8']
    const code = `
      const { readScript } = await import(${JSON.stringify(new URL('compiled-script.ts', import.meta.url).href)})
      const { getHeapSpaceStatistics, getHeapStatistics } = await import('node:v8')
      const { cached } = readScript(${JSON.stringify(renamed())})
      const young = getHeapSpaceStatistics().find((space) => space.space_name === 'new_space').space_size
      console.log(JSON.stringify([cached, getHeapStatistics().heap_size_limit < 500e6, young >= 8e6]))`
    const node = [...limits, '--import', 'tsx', '--input-type=module', '-e', code]
    expect(String(execFileSync(process.execPath, node))).toBe('[true,true,true]\n')
  })

  it('is compiled anew when the compiled form cannot be read', () => {
    rmSync(cache())
    mkdirSync(cache())
    expect(readScript(file).cached).toBe(false)
  })

  it('gets modules by name, and says where it failed', async () => {
    const later = async (name: string) => ({ name })
    const { later: load, fail } = exportsOf(runScript(readScript(file), file, later))
    expect(await load('yaml')).toEqual({ name: 'yaml' })
    let stack = ''
    try {
      fail()
    } catch (error) {
      stack = error instanceof Error ? (error.stack ?? '') : ''
    }
    expect(stack).toMatch(new RegExp(`coffer/[^/]+/program${count}\\.js:6:`))
  })
})

describe('a package as a script', () => {
  const entry = join(folder, 'package/dist/index.cjs')
  mkdirSync(join(folder, 'package/dist'), { recursive: true })
  writeFileSync(join(folder, 'package/package.json'), '{"name":"package","version":"1.2.3"}')
  writeFileSync(join(folder, 'package/native.json'), '"native"')

  beforeEach(() => {
    count += 1
    file = join(folder, `program${count}.js`)
    writeFileSync(
      file,
      "(function (exports, require, module, __filename) { module.exports = [require('../native.json'), __filename] })",
    )
  })

  it('finds the rest of it where it is installed', () => {
    expect(runPackage(file, entry, '1.2.3')).toEqual(['native', entry])
  })

  it('is left alone when another version of it is installed', () => {
    expect(runPackage(file, entry, '1.2.4')).toBeUndefined()
  })
})

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes)
  copy[at] = (copy[at] ?? 0) ^ 1
  return copy
}
