import { describe, expect, it } from 'vitest'
import { base32, hotp, matchingSteps, otpauthUrl, stepAt, type TotpAlgorithm } from './totp.ts'

const seed = (length: number) => Buffer.from('1234567890'.repeat(7).slice(0, length))
const keys: Record<TotpAlgorithm, Buffer> = { SHA1: seed(20), SHA256: seed(32), SHA512: seed(64) }

describe('passcodes', () => {
  // RFC 4226, appendix D.
  it.each(
    '755224 287082 359152 969429 338314 254676 287922 162583 399871 520489'.split(' ').map((code, i) => [i, code]),
  )('HOTP of counter %i is %s', (counter, code) => {
    expect(hotp(keys.SHA1, Number(counter), 'SHA1', 6)).toBe(code)
  })

  // RFC 6238, appendix B.
  it.each([
    [59, '94287082', '46119246', '90693936'],
    [1111111109, '07081804', '68084774', '25091201'],
    [1111111111, '14050471', '67062674', '99943326'],
    [1234567890, '89005924', '91819424', '93441116'],
    [2000000000, '69279037', '90698825', '38618901'],
    [20000000000, '65353130', '77737706', '47863826'],
  ])('TOTP at %i s is as the RFC says', (seconds, sha1, sha256, sha512) => {
    const step = stepAt(seconds * 1000, 30)
    expect(hotp(keys.SHA1, step, 'SHA1', 8)).toBe(sha1)
    expect(hotp(keys.SHA256, step, 'SHA256', 8)).toBe(sha256)
    expect(hotp(keys.SHA512, step, 'SHA512', 8)).toBe(sha512)
  })

  it('match within the skew and not beyond', () => {
    const now = 1_000_000_000_000
    const step = stepAt(now, 30)
    const code = (at: number) => hotp(keys.SHA1, at, 'SHA1', 6)
    const match = (passcode: string, skew: number) =>
      matchingSteps(keys.SHA1, passcode, { algorithm: 'SHA1', digits: 6, period: 30 }, now, skew)
    expect(match(code(step), 0)).toEqual([step])
    expect(match(code(step - 1), 0)).toEqual([])
    expect(match(code(step - 1), 1)).toEqual([step - 1])
    expect(match(code(step + 1), 1)).toEqual([step + 1])
    expect(match(code(step + 2), 1)).toEqual([])
    expect(match('', 1)).toEqual([])
    expect(match(`${code(step)} `, 1)).toEqual([])
  })
})

describe('what an app is given', () => {
  // RFC 4648, section 10.
  it.each([
    ['', ''],
    ['f', 'MY'],
    ['fo', 'MZXQ'],
    ['foo', 'MZXW6'],
    ['foob', 'MZXW6YQ'],
    ['fooba', 'MZXW6YTB'],
    ['foobar', 'MZXW6YTBOI'],
  ])('base32 of %j is %s', (text, expected) => expect(base32(Buffer.from(text))).toBe(expected))

  it('names issuer, account and parameters', () => {
    expect(otpauthUrl(Buffer.from('foobar'), 'My & Co', 'e-1', { algorithm: 'SHA256', digits: 8, period: 60 })).toBe(
      'otpauth://totp/My%20%26%20Co:e-1?algorithm=SHA256&digits=8&issuer=My%20%26%20Co&period=60&secret=MZXW6YTBOI',
    )
  })
})
