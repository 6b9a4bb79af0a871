import { createHash, createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { auditLines } from './audit-file.ts'
import type { WitnessedHead } from './audit-line.ts'
import { verifyAudit } from './verify-audit.ts'

const key = Buffer.alloc(32, 7)
const mac = (text: string) => createHmac('sha256', key).update(text).digest('hex')
const idA = 'aaaaaaaa-0000-4000-8000-000000000000'
const idB = 'bbbbbbbb-0000-4000-8000-000000000000'

/** A chain as the broker writes one, spelled out. */
const chainOf = (id: string, count: number, heads: object = {}) => {
  let prev = mac(id)
  const lines = Array.from({ length: count }, (_, i) => {
    const body =
      i === 0
        ? `{"time":"t","type":"chain","event":"opened","heads":${JSON.stringify(heads)}`
        : `{"time":"t","type":"request","request":{"path":"secret/${i}"}`
    const line = `${body},"chain":"${id}","seq":${i + 1},"prev":"${prev}"}`
    prev = mac(line)
    return line
  })
  const head = (seq = count): WitnessedHead => ({ chain: id, seq, mac: mac(lines[seq - 1] ?? ''), closed: false })
  return { lines, head }
}
const file = (lines: readonly string[], name = 'audit.log', pieceSize = 97) => {
  const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''))
  const pieces = Array.from({ length: Math.ceil(bytes.length / pieceSize) }, (_, i) =>
    bytes.subarray(i * pieceSize, (i + 1) * pieceSize),
  )
  return { name, bytes: pieces }
}
const verify = (files: ReturnType<typeof file>[], heads: WitnessedHead[]) => verifyAudit({ files, key, heads })
const kinds = (found: { problems: readonly { kind: string }[] }) => found.problems.map((p) => p.kind)

const a = chainOf(idA, 6)

it('finds nothing in files that hold what was written, in any order and rotation', async () => {
  const b = chainOf(idB, 4, { [idA]: { seq: 3, mac: mac(a.lines[2]!) } })
  const mixed = [a.lines[0]!, a.lines[1]!, a.lines[2]!, b.lines[0]!, b.lines[1]!, a.lines[3]!, b.lines[2]!]
  const rest = [a.lines[4]!, b.lines[3]!, a.lines[5]!]
  const found = await verify([file(rest, 'audit.log', 5), file(mixed, 'audit.log.1')], [a.head(), b.head()])
  expect(found).toMatchObject({ intact: true, lines: 10, chains: 2, problems: [], unprovenTail: 0 })
})

it('says how many lines the newest recorded head does not cover yet', async () => {
  expect(await verify([file(a.lines)], [a.head(4)])).toMatchObject({ intact: true, unprovenTail: 2 })
})

describe('finds', () => {
  it.each([0, 1, 2, 3, 4, 5])('line %i altered, the last one through the recorded head', async (i) => {
    const lines = a.lines.map((line, at) => (at === i ? line.replace('"time":"t"', '"time":"x"') : line))
    const found = await verify([file(lines)], [a.head()])
    expect(found.intact).toBe(false)
    expect(found.problems).toEqual([
      expect.objectContaining({ kind: 'altered', chain: idA, seq: i + 1, line: i + 1, file: 'audit.log' }),
    ])
  })

  it.each([0, 2, 5])('line %i removed', async (i) => {
    const found = await verify([file(a.lines.filter((_, at) => at !== i))], [a.head()])
    expect(found.problems).toEqual([expect.objectContaining({ kind: 'removed', chain: idA, seq: i + 1 })])
  })

  it('a whole tail removed', async () => {
    const found = await verify([file(a.lines.slice(0, 2))], [a.head()])
    expect(found.problems).toEqual([
      expect.objectContaining({ kind: 'removed', text: 'lines 3 to 6 of the chain missing' }),
    ])
  })

  it('lines that changed places', async () => {
    const [one, two, three, ...rest] = a.lines as [string, string, string, ...string[]]
    expect(kinds(await verify([file([one, three, two, ...rest])], [a.head()]))).toEqual(['reordered'])
  })

  it('a line repeated', async () => {
    expect(kinds(await verify([file([...a.lines, a.lines[5]!])], [a.head()]))).toEqual(['repeated'])
  })

  it('a chain that is gone altogether: through storage, and through what another chain witnessed', async () => {
    const b = chainOf(idB, 3, { [idA]: { seq: 6, mac: a.head().mac } })
    expect((await verify([file(b.lines)], [a.head(), b.head()])).problems).toEqual([
      expect.objectContaining({ kind: 'missing-chain', chain: idA }),
    ])
    expect(kinds(await verify([file(b.lines)], [b.head()]))).toEqual(['missing-chain'])
  })

  it('an altered end that only another chain witnessed', async () => {
    const b = chainOf(idB, 2, { [idA]: { seq: 6, mac: a.head().mac } })
    const lines = [...a.lines.slice(0, 5), a.lines[5]!.replace('secret/5', 'secret/x')]
    expect(kinds(await verify([file([...lines, ...b.lines])], [a.head(5), b.head()]))).toEqual(['altered'])
  })

  it('a chain that storage never opened, and lines of no chain', async () => {
    const forged = await verify([file([...a.lines, '{"time":"t","type":"request"}'])], [])
    expect(kinds(forged)).toEqual(['foreign', 'unknown-chain'])
  })

  it('a chain forged without the key', async () => {
    const wrong = createHmac('sha256', 'other').update(idA).digest('hex')
    const line = `{"time":"t","type":"request","chain":"${idA}","seq":1,"prev":"${wrong}"}`
    expect((await verify([file([line])], [a.head(1)])).intact).toBe(false)
  })

  it('text of clients that looks like a link is not one', async () => {
    const fake = `,"chain":"${idB}","seq":9,"prev":"${'0'.repeat(64)}"}`
    const body = `{"time":"t","type":"request","path":${JSON.stringify(fake)}`
    const line = `${body},"chain":"${idA}","seq":1,"prev":"${mac(idA)}"}`
    expect(await verify([file([line])], [{ chain: idA, seq: 1, mac: mac(line), closed: true }])).toMatchObject({
      intact: true,
      chains: 1,
    })
  })
})

describe('torn lines', () => {
  it('are named, and no tampering: after a cut a new chain begins', async () => {
    const b = chainOf(idB, 2)
    const cut = a.lines[5]!.slice(0, 20)
    const found = await verify([file([...a.lines.slice(0, 5), cut, ...b.lines])], [a.head(5), b.head()])
    expect(found).toMatchObject({ intact: true })
    expect(found.problems).toEqual([expect.objectContaining({ kind: 'torn', file: 'audit.log', line: 6 })])
  })

  it('at the very end of a file too', async () => {
    const bytes = [Buffer.from(`${a.lines.join('\n')}\n{"time":"t`)]
    expect(kinds(await verify([{ name: 'f', bytes }], [a.head()]))).toEqual(['torn'])
  })

  it('do not hide the removal of a line that was vouched for', async () => {
    const lines = a.lines.map((line, i) => (i === 3 ? line.slice(0, 20) : line))
    expect(kinds(await verify([file(lines)], [a.head()]))).toEqual(['torn', 'removed'])
  })
})

describe('with signed checkpoints', () => {
  const { privateKey, publicKey: half } = generateKeyPairSync('ed25519')
  const publicKey = `ed25519:${half.export({ format: 'jwk' }).x}`
  const other = `ed25519:${generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }).x}`

  /** Lines; every fourth is a checkpoint over the three before it. */
  const signedChain = (id: string, count: number, heads: object = {}, device = 'file/') => {
    let prev = mac(id)
    let digest = createHash('sha256')
    const lines: string[] = []
    for (let seq = 1; seq <= count; seq += 1) {
      const link = `,"chain":"${id}","seq":${seq},"prev":"${prev}"}`
      let line = `{"time":"2026-01-01T00:00:${String(seq).padStart(2, '0')}.000Z","type":"request"${link}`
      if (seq % 4 === 0) {
        const all = { ...heads, [id]: { seq: seq - 1, mac: prev, device, time: '2026-01-01T00:00:00.000Z' } }
        const body = `{"time":"2026-01-01T00:01:00.000Z","type":"chain","event":"checkpoint","heads":${JSON.stringify(all)},"lines":3,"digest":"${digest.digest('hex')}","public_key":"${publicKey}"`
        line = `${body},"signature":"${sign(null, Buffer.from(body + link), privateKey).toString('base64')}"${link}`
        digest = createHash('sha256')
      }
      digest.update(`${line}\n`)
      prev = mac(line)
      lines.push(line)
    }
    return lines
  }
  const c = signedChain(idA, 10)
  const check = (lines: readonly string[], more: object = {}) =>
    verifyAudit({ files: [file(lines)], publicKey, ...more })

  it('the public key is enough to prove all lines up to the last one', async () => {
    expect(await check(c)).toMatchObject({ intact: true, lines: 10, checkpoints: 2, problems: [], unprovenTail: 2 })
  })

  it.each([0, 1, 2, 4, 6])('line %i altered is found without the chain key', async (i) => {
    const lines = c.map((line, at) => (at === i ? line.replace('"type":"request"', '"type":"requesT"') : line))
    expect(await check(lines)).toMatchObject({
      intact: false,
      problems: [{ kind: 'altered', seq: i < 4 ? 4 : 8, time: '2026-01-01T00:01:00.000Z' }],
    })
  })

  it('an altered line is named when the chain key is there too', async () => {
    const lines = c.map((line, at) => (at === 5 ? line.replace('"type":"request"', '"type":"requesT"') : line))
    expect((await check(lines, { key })).problems).toMatchObject([{ kind: 'altered', seq: 6, line: 6 }])
  })

  it('a chain rewritten with the chain key is found by its checkpoints', async () => {
    const rewritten = chainOf(idA, 10).lines.map((line, i) => (i % 4 === 3 ? c[i]! : line))
    expect((await check(rewritten, { key })).intact).toBe(false)
  })

  it('a checkpoint that was altered, or signed by another, is none', async () => {
    const lines = c.map((line) => line.replace('"lines":3', '"lines":2'))
    expect(kinds(await check(lines))).toEqual(['bad-signature', 'bad-signature'])
    expect(kinds(await verifyAudit({ files: [file(c)], publicKey: other }))).toEqual(['bad-signature', 'bad-signature'])
    await expect(verifyAudit({ files: [], publicKey: 'ed25519:short' })).rejects.toThrow('not of the form')
  })

  it('lines cut off that a checkpoint of another chain lists are missed, as is a whole chain of the same device', async () => {
    const witness = (device: string, seq = 9) =>
      signedChain(idB, 4, { [idA]: { seq, mac: mac(c[seq - 1]!), device, time: '2026-01-01T00:00:09.000Z' } })
    expect((await check([...c.slice(0, 8), ...witness('file/')])).problems).toMatchObject([
      { kind: 'removed', chain: idA, seq: 9 },
    ])
    expect((await check(witness('file/'))).problems).toMatchObject([{ kind: 'missing-chain', chain: idA }])
    expect((await check(witness('other/'))).intact).toBe(true)
    expect((await check(witness('other/'), { device: 'other/' })).intact).toBe(false)
  })

  it('a chain that storage has forgotten is known by the checkpoint that lists it', async () => {
    const b = signedChain(idB, 4, { [idA]: { seq: 10, mac: mac(c[9]!), device: 'file/' } })
    const head = { chain: idB, seq: 4, mac: mac(b[3]!), closed: false }
    expect(await check([...c, ...b], { key, heads: [head] })).toMatchObject({ intact: true, unprovenTail: 0 })
    expect(kinds(await check(c, { key, heads: [] })), 'signed by the server').toEqual([])
    expect(kinds(await check(chainOf(idA, 3).lines, { key, heads: [] }))).toEqual(['unknown-chain'])
  })

  it('older files may be missing only when that was said', async () => {
    const late = c.slice(5)
    expect(kinds(await check(late, { key }))).toEqual(['removed'])
    expect(await check(late, { key, partial: true })).toMatchObject({ intact: true, problems: [{ kind: 'earlier' }] })
    expect(kinds(await check(late, { partial: true }))).toEqual(['unchecked', 'earlier'])
    const gone = { chain: idB, seq: 4, mac: 'x', closed: true, time: '2025-12-31T00:00:00.000Z', device: 'file/' }
    expect((await check(c, { heads: [gone] })).intact).toBe(false)
    expect(kinds(await check(late, { key, partial: true, heads: [gone] }))).toEqual(['earlier'])
  })

  it('what a collector puts before a line does not matter', async () => {
    expect(
      await check(
        c.map((line) => `<38>1 2026 host vault 1 audit - ${line}`),
        { key },
      ),
    ).toMatchObject({ intact: true })
  })

  it('a file given twice is repetition, and lines that were dropped are told of without alarm', async () => {
    const twice = await verifyAudit({ files: [file(c), file(c, 'again')], publicKey, key })
    expect(twice.problems).toMatchObject([
      { kind: 'repeated', file: 'again', text: 'lines 1 to 10 of the chain are there more than once' },
    ])
    const body = '{"time":"2026-01-01T00:00:00.000Z","type":"chain","event":"dropped","lines":7,"from":"a","to":"b"'
    const dropped = `${body},"chain":"${idA}","seq":1,"prev":"${mac(idA)}"}`
    expect(await check([dropped], { key })).toMatchObject({
      intact: true,
      problems: [{ kind: 'dropped', text: 'the device did not take 7 lines between a and b' }],
    })
  })

  it('memory does not grow with disorder or a line without end', async () => {
    const shuffled = Array.from(
      { length: 30_000 },
      (_, i) => `{"time":"t","chain":"${idA}","seq":${30_001 - i},"prev":"${'0'.repeat(64)}"}`,
    )
    const found = await check(shuffled)
    expect(found.problems.length).toBeLessThanOrEqual(10_000)
    expect(found.more).toBeGreaterThan(0)
    const endless = { name: 'f', bytes: Array.from({ length: 70 }, () => Buffer.alloc(1024 * 1024, 0x61)) }
    expect(kinds(await verifyAudit({ files: [endless] }))[0]).toBe('torn')
  })
})

describe('a long line', () => {
  const read = async (bytes: Uint8Array[], longest?: number) => {
    const lengths: [number, boolean][] = []
    for await (const line of auditLines({ name: 'f', bytes }, longest)) lengths.push([line.bytes.length, line.complete])
    return lengths
  }

  it('of 72 MB is one: that much may be told of a body of 32 MiB', async () => {
    const piece = Buffer.alloc(8_000_000, 'x')
    const bytes = [...Array.from({ length: 9 }, () => piece), Buffer.from('\n')]
    expect(await read(bytes)).toEqual([[72_000_000, true]])
  })

  it('above the limit comes in pieces', async () => {
    const bytes = ['x'.repeat(60), 'x'.repeat(60), 'x\n', 'y\n'].map((text) => Buffer.from(text))
    expect(await read(bytes, 100)).toEqual([
      [120, false],
      [1, true],
      [1, true],
    ])
  })
})
