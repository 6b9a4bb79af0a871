import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type RecordedHead, verifyAudit } from './verify-audit.ts'

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
  const head = (seq = count): RecordedHead => ({ chain: id, seq, mac: mac(lines[seq - 1] ?? ''), closed: false })
  return { lines, head }
}
const file = (lines: readonly string[], name = 'audit.log', pieceSize = 97) => {
  const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''))
  const pieces = Array.from({ length: Math.ceil(bytes.length / pieceSize) }, (_, i) =>
    bytes.subarray(i * pieceSize, (i + 1) * pieceSize),
  )
  return { name, bytes: pieces }
}
const verify = (files: ReturnType<typeof file>[], heads: RecordedHead[]) => verifyAudit({ files, key, heads })
const kinds = (found: { problems: readonly { kind: string }[] }) => found.problems.map((p) => p.kind)

const a = chainOf(idA, 6)

it('finds nothing in files that hold what was written, in any order and rotation', async () => {
  const b = chainOf(idB, 4, { [idA]: { seq: 3, mac: mac(a.lines[2]!) } })
  const mixed = [a.lines[0]!, a.lines[1]!, a.lines[2]!, b.lines[0]!, b.lines[1]!, a.lines[3]!, b.lines[2]!]
  const rest = [a.lines[4]!, b.lines[3]!, a.lines[5]!]
  const found = await verify([file(rest, 'audit.log', 5), file(mixed, 'audit.log.1')], [a.head(), b.head()])
  expect(found).toEqual({ intact: true, lines: 10, chains: 2, problems: [], unprovenTail: 0 })
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
