import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FakeClock } from '../../../lib/fake-clock.ts'
import { silentLog } from '../../../lib/log.ts'
import { systemRandom } from '../../../lib/random.ts'
import { fakeAudited } from '../../contracts/fake-audited.ts'
import { FakeRows } from '../../contracts/fake-rows.ts'
import { AuditBroker } from '../broker/audit-broker.ts'
import { fileAudit } from '../file/file.ts'
import type { WitnessedHead } from './audit-line.ts'
import { localAudit } from './local-audit.ts'
import { verifyAudit } from './verify-audit.ts'

const dir = mkdtempSync(join(tmpdir(), 'coffer-forged-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))
const path = join(dir, 'audit.log')

/** What a broker really wrote, in two chains with checkpoints: the attacker has all of it, and no key. */
let lines: string[]
let key: Uint8Array
let publicKey: string
let heads: readonly WitnessedHead[]

const request = (n: number) => fakeAudited({ id: `r${n}`, at: Date.UTC(2026, 0, 2) + n, path: `secret/data/${n}` })

beforeAll(async () => {
  const clock = new FakeClock()
  const rows = new FakeRows()
  const devices = { file: fileAudit({ directories: [dir], stdout: new PassThrough() }) }
  const start = (node: string) => new AuditBroker({ rows, clock, random: systemRandom, log: silentLog, devices, node })
  const one = start('one')
  await one.enable('file', { type: 'file', options: { file_path: path } })
  for (let n = 0; n < 6; n += 1) await one.request(request(n))
  await one.checkpoint()
  for (let n = 6; n < 9; n += 1) await one.request(request(n))
  await one.close()
  const two = start('two')
  await two.refresh()
  for (let n = 9; n < 14; n += 1) await two.request(request(n))
  await two.checkpoint()
  for (let n = 14; n < 17; n += 1) await two.request(request(n))
  await two.close()
  const found = await two.evidence()
  if (!found) throw new Error('nothing was audited')
  ;({ key, publicKey } = found)
  const { heads: recorded } = await localHeads(found)
  heads = recorded
  lines = readFileSync(path, 'utf8').trimEnd().split('\n')
})

async function localHeads({ heads: rows }: { heads: readonly (Omit<WitnessedHead, 'time'> & { at: number })[] }) {
  return { heads: rows.map(({ at, ...row }) => ({ ...row, time: new Date(at).toISOString() })) }
}

const file = (all: readonly string[], name = 'audit.log') => ({ name, bytes: [Buffer.from(`${all.join('\n')}\n`)] })
const withAll = (all: readonly string[]) => verifyAudit({ files: [file(all)], key, publicKey, heads })
const withPublicKey = (all: readonly string[]) => verifyAudit({ files: [file(all)], publicKey })
const without = (from: number, to = from) => lines.filter((_, i) => i < from || i > to)
const chainOf = (line: string) => /"chain":"([0-9a-f-]{36})","seq"/.exec(line)?.[1] ?? ''
const linkOf = (line: string) => line.slice(line.lastIndexOf(',"chain":"'))

it('what was written is intact by all means', async () => {
  expect(await withAll(lines)).toMatchObject({ intact: true, problems: [], chains: 2, unprovenTail: 0 })
  expect(await withPublicKey(lines)).toMatchObject({ intact: true, problems: [], unprovenTail: 0 })
  expect(await localAudit.verify({ files: [path], key, publicKey, heads: [...heads] })).toMatchObject({ intact: true })
})

describe('without any key nobody can', () => {
  it('change a single byte of any line', async () => {
    for (const [i, line] of lines.entries()) {
      for (const at of [3, Math.floor(line.length / 2), line.length - 4]) {
        const other = line[at] === 'a' ? 'b' : 'a'
        const forged = lines.map((known, n) => (n === i ? line.slice(0, at) + other + line.slice(at + 1) : known))
        const where = `line ${i + 1}, byte ${at}`
        const found = await withAll(forged)
        expect(found.problems.length, where).toBeGreaterThan(0)
        // A broken checkpoint is none: what it signed is then said to be unproven.
        const { problems, unprovenTail } = await withPublicKey(forged)
        expect(problems.length + unprovenTail, `${where}, public key`).toBeGreaterThan(0)
      }
    }
  })

  it('remove any line, or any run of lines, of which storage or a checkpoint knows', async () => {
    for (let from = 0; from < lines.length; from += 1) {
      for (const to of [from, Math.min(from + 3, lines.length - 1), lines.length - 1]) {
        expect((await withAll(without(from, to))).intact, `${from} to ${to}`).toBe(false)
      }
    }
  })

  it('change the order of any two neighbours', async () => {
    for (let i = 0; i + 1 < lines.length; i += 1) {
      const [a = '', b = ''] = lines.slice(i, i + 2)
      if (chainOf(a) !== chainOf(b)) continue
      const forged = [...lines.slice(0, i), b, a, ...lines.slice(i + 2)]
      expect((await withAll(forged)).intact, `line ${i + 1}`).toBe(false)
      expect((await withPublicKey(forged)).intact, `line ${i + 1}, public key`).toBe(false)
    }
  })

  it('put in a line of their own, whatever link it bears', async () => {
    for (const [i, line] of lines.entries()) {
      const body = '{"time":"2026-01-02T00:00:00.000Z","type":"request","request":{"path":"forged"}'
      for (const forged of [`${body}}`, body + linkOf(line), body + linkOf(lines[i + 1] ?? line)]) {
        const all = [...lines.slice(0, i + 1), forged, ...lines.slice(i + 1)]
        expect((await withAll(all)).intact, `after ${i + 1}`).toBe(false)
        expect((await withPublicKey(all)).intact, `after ${i + 1}, public key`).toBe(false)
      }
    }
  })

  it('pass off lines of one chain as lines of the other', async () => {
    const [first = '', last = ''] = [lines[0], lines.at(-1)].map((line) => chainOf(line ?? ''))
    const moved = lines.map((line, i) => (i === 2 ? line.replace(first, last) : line))
    expect((await withAll(moved)).intact).toBe(false)
    const swapped = lines.map((line) => line.replaceAll(first, 'x').replaceAll(last, first).replaceAll('x', last))
    expect((await withAll(swapped)).intact).toBe(false)
  })

  it('hide a line behind text before it, or two lines as one', async () => {
    const hidden = lines.map((line, i) => (i === 3 ? `${lines[2]} ${line}` : line))
    expect((await withAll(hidden.filter((_, i) => i !== 2))).intact).toBe(false)
    const twice = lines.map((line, i) =>
      i === 3 ? line.replace('"request":{', '"request":{"path":"x"},"request":{') : line,
    )
    expect((await withAll(twice)).intact).toBe(false)
  })

  it('make a torn or empty line of one that was vouched for', async () => {
    for (const put of ['', '{"time":"2026', lines[4]?.slice(0, -1) ?? '']) {
      const forged = lines.map((line, i) => (i === 4 ? put : line))
      expect((await withAll(forged)).intact).toBe(false)
    }
  })

  it('begin a chain of their own with a key of their own', async () => {
    const own = Buffer.alloc(32, 1)
    const mac = (text: string) => createHmac('sha256', own).update(text).digest('hex')
    const { privateKey, publicKey: half } = generateKeyPairSync('ed25519')
    const chain = 'cccccccc-0000-4000-8000-000000000000'
    const signer = `ed25519:${half.export({ format: 'jwk' }).x}`
    const opened = `{"time":"2026-01-02T00:00:00.000Z","type":"chain","event":"opened","device":"file/","heads":{},"chain":"${chain}","seq":1,"prev":"${mac(chain)}"}`
    const link = `,"chain":"${chain}","seq":2,"prev":"${mac(opened)}"}`
    const heads = JSON.stringify({ [chain]: { seq: 1, mac: mac(opened), device: 'file/' } })
    const body = `{"time":"2026-01-02T00:00:01.000Z","type":"chain","event":"checkpoint","device":"file/","heads":${heads},"lines":1,"digest":"${'0'.repeat(64)}","public_key":"${signer}"`
    const signature = sign(null, Buffer.from(body + link), privateKey).toString('base64')
    const forged = [opened, `${body},"signature":"${signature}"${link}`]
    const kindsOf = async (all: readonly string[]) => (await withAll(all)).problems.map(({ kind }) => kind)
    expect(await kindsOf([...lines, ...forged])).toEqual(expect.arrayContaining(['bad-signature', 'unknown-chain']))
    // In place of everything: the chains that are gone are missed as well.
    expect(await kindsOf(forged)).toContain('missing-chain')
    expect((await withPublicKey([...lines, ...forged])).intact).toBe(false)
  })

  it('use a checkpoint again, elsewhere or later', async () => {
    const at = lines.findIndex((line) => line.includes('"event":"checkpoint"'))
    const checkpoint = lines[at] ?? ''
    const later = [...lines.slice(0, at), ...lines.slice(at + 1, at + 3), checkpoint, ...lines.slice(at + 3)]
    expect((await withAll(later)).intact).toBe(false)
    expect((await withPublicKey(later)).intact).toBe(false)
    const inOther = lines.map((line, i) => {
      const isOther = i > at && line.includes('"event":"checkpoint"')
      return isOther ? checkpoint.slice(0, checkpoint.lastIndexOf(',"chain":"')) + linkOf(line) : line
    })
    expect((await withAll(inOther)).intact).toBe(false)
    expect((await withPublicKey(inOther)).intact).toBe(false)
  })

  it('roll the files back to how they were at an earlier time', async () => {
    const at = lines.findIndex((line) => line.includes('"event":"checkpoint"'))
    expect((await withAll(lines.slice(0, at + 1))).intact).toBe(false)
  })

  it('make the verifier fail, or say that all is well, with lines of nonsense', async () => {
    const nonsense = [
      '{"time":"x","type":"chain","event":"checkpoint","heads":{"__proto__":{"seq":1}},"lines":1}',
      `{"time":"2026-01-02T00:00:00.000Z","type":"chain","event":"checkpoint","heads":[1,2],"digest":7${linkOf(lines[3] ?? '')}`,
      `{"time":"2026-01-02T00:00:00.000Z","type":"chain","event":"dropped","lines":1e999${linkOf(lines[3] ?? '')}`,
      `[]${linkOf(lines[3] ?? '')}`,
      `{"time":"${'9'.repeat(1000)}"${linkOf(lines[3] ?? '')}`,
      '\u0000\ufffd\ud800',
      `${'['.repeat(100_000)}`,
    ]
    for (const forged of nonsense) {
      const found = await withAll([...lines, forged])
      expect(found.problems.length, forged.slice(0, 60)).toBeGreaterThan(0)
    }
  })
})
