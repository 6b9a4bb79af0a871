import { describe, expect, it } from 'vitest'
import { StorageDown, StorageFull } from '../../../contracts/storage.ts'
import { Cut, failureOf, isDuplicate, isTransient, Rejected, storageError } from './failures.ts'

const failure = (code: string | undefined, message = 'said') =>
  failureOf(Object.assign(new Error(message), { code, detail: 'Key (key)=(canary)' }))

describe('an error', () => {
  it.each(['57P01', '57P02', '57P03', '08006', '08P01', 'XX000', 'ECONNRESET', 'EPIPE', undefined])(
    '%s leaves open whether the statement took effect',
    (code) => expect(failure(code)).toBeInstanceOf(Cut),
  )

  it.each(['23505', '40P01', '53100', '42P01', '57014', '25006'])('%s is a refusal: nothing remains', (code) => {
    expect(failure(code)).toBeInstanceOf(Rejected)
  })

  it('of a race is told from one that stays', () => {
    expect([failure('40P01'), failure('40001'), failure('23505')].map(isTransient)).toEqual([true, true, false])
    expect([failure('23505'), failure('23502'), failure('57P01')].map(isDuplicate)).toEqual([true, false, false])
  })

  it('is told to callers with what to do, and shows nothing that was written', () => {
    expect(storageError(failure('53100'), 'h:1/d')).toBeInstanceOf(StorageFull)
    expect(storageError(failure('57P01', 'ends'), 'h:1/d')).toEqual(
      new StorageDown('PostgreSQL at h:1/d does not answer: ends (57P01)'),
    )
    expect(storageError(failure('53300'), 'h:1/d').message).toContain('lower max_parallel here')
    expect(storageError(failure('22P02', 'invalid: canary'), 'h:1/d').message).toBe(
      'PostgreSQL at h:1/d refused (22P02)',
    )
    for (const code of ['23505', '42501', '28P01', undefined]) {
      expect(storageError(failure(code), 'h').message).not.toContain('canary')
    }
  })
})
