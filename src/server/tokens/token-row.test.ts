import { describe, expect, it } from 'vitest'
import { tokenRowSchema } from './token-row.ts'

/** As storage has it since the first release; never to be changed. */
const format1 = {
  format: 1,
  accessor: 'Wct8Jwn9XZUGY8Yia2wjDUay',
  ancestors: ['aa'],
  policies: ['default'],
  path: 'auth/token/create',
  meta: { a: 'b' },
  displayName: 'token',
  numUses: 0,
  createdAt: 1_795_217_809_000,
  creationTtlMs: 3_600_000,
  expiresAt: 1_795_221_409_000,
  explicitMaxTtlMs: 0,
  periodMs: 0,
  renewable: true,
  renewedAt: 0,
  entityId: '',
  type: 'service',
  boundCidrs: [],
  noDefaultPolicy: false,
  mount: '00000000-0000-4000-8000-000000000002',
}

describe('a token row', () => {
  it('of before there were namespaces is of the root namespace', () => {
    expect(tokenRowSchema.parse(format1)).toEqual({ ...format1, namespace: 'root' })
  })

  it('keeps what a later version added', () => {
    const later = { ...format1, namespace: 'aB3dE9', role: 'r', colour: 'red' }
    expect(tokenRowSchema.parse(later)).toEqual(later)
  })

  it.each([
    null,
    'x',
    {},
    { ...format1, format: 2 },
    { ...format1, type: 'recovery' },
    { ...format1, namespace: 7 },
    { ...format1, ancestors: 'aa' },
    { ...format1, policies: [1] },
    { ...format1, expiresAt: '0' },
    { ...format1, meta: undefined },
  ])('is not %j', (value) => {
    expect(() => tokenRowSchema.parse(value)).toThrow('not a token row')
  })
})
