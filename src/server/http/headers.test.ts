import { describe, expect, it } from 'vitest'
import { readHeaders } from './headers.ts'

describe('headers', () => {
  it.each(['Host', 'X-Vault-Token', 'X-Vault-Namespace', 'Authorization', 'X-Vault-Wrap-TTL'])(
    '%s comes once, or whoever stands in front of us may have read the other one',
    (name) => {
      expect(() => readHeaders([name, 'a', name.toLowerCase(), 'b'])).toThrow(`repeated header: ${name.toLowerCase()}`)
    },
  )

  it('others are joined as they came', () => {
    expect(readHeaders(['X-A', 'b', 'x-a', 'c'])).toEqual({ 'x-a': 'b, c' })
  })
})
