import { beforeEach, describe, expect, it } from 'vitest'
import { systemRandom } from '../../../lib/random.ts'
import { FakeRows } from '../../contracts/fake-rows.ts'
import { type NewToken, newTokenRow } from '../new-token.ts'
import { plain } from '../test-tree.ts'
import { BatchTokens } from './batch-tokens.ts'

const wanted: NewToken = { ...plain, type: 'batch', policies: ['default', 'rw'], meta: { team: 'canary-4711' } }
const row = newTokenRow(wanted, '', 1_000_000, ['ab'.repeat(32)])
let rows: FakeRows
let batch: BatchTokens

async function opened(of: FakeRows): Promise<BatchTokens> {
  const made = new BatchTokens(of.view('ns/root/tokens/'), systemRandom)
  await made.open()
  return made
}

beforeEach(async () => {
  rows = new FakeRows()
  batch = await opened(rows)
})

describe('a batch token', () => {
  it('is its row, sealed: nothing is stored and nothing can be read in it', () => {
    const before = rows.rows.size
    const token = batch.seal(row)
    expect(token).toMatch(/^hvb\.[\w-]+$/)
    expect(rows.rows.size).toBe(before)
    expect(Buffer.from(token.slice(4), 'base64url').toString('latin1')).not.toContain('canary-4711')
    expect(batch.unseal(token)).toEqual(row)
    expect(row.renewable).toBe(false)
  })

  it('is opened by every node over the same storage, and by no other', async () => {
    const token = batch.seal(row)
    expect((await opened(rows)).unseal(token)).toEqual(row)
    expect((await opened(new FakeRows())).unseal(token)).toBeUndefined()
  })

  it('ends in the id of its namespace, and is of no other', () => {
    const elsewhere = { ...row, namespace: 'aB3dE9' }
    const token = batch.seal(elsewhere)
    expect(token).toMatch(/^hvb\.[\w-]+\.aB3dE9$/)
    expect(batch.unseal(token)).toEqual(elsewhere)
    expect(batch.unseal(token.replace(/\.aB3dE9$/, ''))).toBeUndefined()
    expect(batch.unseal(token.replace(/aB3dE9$/, 'zzzzzz'))).toBeUndefined()
    expect(batch.unseal(`${batch.seal(row)}.root`)).toBeUndefined()
  })

  it('is not opened when any byte of it is another, or it is cut', () => {
    const token = batch.seal(row)
    const bytes = Buffer.from(token.slice(4), 'base64url')
    for (let i = 0; i < bytes.length; i += 1) {
      const changed = Buffer.from(bytes)
      changed[i] = (changed[i] ?? 0) ^ 1
      expect(batch.unseal(`hvb.${changed.toString('base64url')}`)).toBeUndefined()
    }
    for (const length of [0, 1, 4, 5, 32, 33, 48, 49, bytes.length - 1]) {
      expect(batch.unseal(`hvb.${bytes.subarray(0, length).toString('base64url')}`)).toBeUndefined()
    }
  })

  it.each(['', 'hvb.', 'hvb..', 'hvb.a', 'hvb.=', 'hvs.x', `hvb.${'A'.repeat(20_000)}`, 'hvb.\u0000', 'hvb.é'])(
    '%j is none',
    (token) => {
      expect(batch.unseal(token)).toBeUndefined()
    },
  )

  it('carries every field of its row that it can have', () => {
    const full = newTokenRow(
      {
        ...wanted,
        namespace: 'aB3dE9',
        entityId: 'e',
        boundCidrs: ['10.0.0.0/8'],
        noDefaultPolicy: true,
        role: 'job',
        meta: {},
      },
      '',
      1_795_217_809_123,
      ['0f'.repeat(32), 'a1'.repeat(32)],
    )
    expect(batch.unseal(batch.seal(full))).toEqual(full)
  })

  it('is short enough to be sent with each request', () => {
    expect(batch.seal({ ...row, meta: null, mount: '00000000-0000-4000-8000-000000000002' }).length).toBeLessThan(360)
  })

  it('has one spelling', () => {
    const token = batch.seal(row)
    for (const other of [`${token}=`, `${token}.`, `${token}\n`, ` ${token}`, token.replace('hvb.', 'hvb.\t')])
      expect(batch.unseal(other)).toBeUndefined()
  })

  it('that no header could carry is refused', () => {
    expect(() => batch.seal({ ...row, meta: { long: 'x'.repeat(20_000) } })).toThrow(/is too long, at most 16384/)
  })

  it('of a login says so, but carries none of what renewals would need', () => {
    const login = { ...loginGrant, internal: { role: 'canary-0815' } }
    const opened = batch.unseal(batch.seal({ ...row, login }))
    expect(opened?.login).toMatchObject({ tokenType: 'batch', internal: {} })
  })

  it('is not made or opened once the keys are forgotten', () => {
    const token = batch.seal(row)
    batch.close()
    expect(() => batch.seal(row)).toThrow('not open')
    expect(() => batch.unseal(token)).toThrow('not open')
  })
})

const loginGrant = {
  displayName: 'x',
  policies: [],
  metadata: {},
  ttlMs: 0,
  maxTtlMs: 0,
  explicitMaxTtlMs: 0,
  periodMs: 0,
  numUses: 0,
  renewable: true,
  noDefaultPolicy: false,
  boundCidrs: [],
  tokenType: 'batch',
  internal: {},
} as const
