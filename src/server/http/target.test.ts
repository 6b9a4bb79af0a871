import { describe, expect, it } from 'vitest'
import { Refusal } from '../contracts/request.ts'
import { readHeaders, tokenOf, wrapTtlOf } from './headers.ts'
import { parseTarget } from './target.ts'

const status = (run: () => unknown) => {
  try {
    run()
  } catch (error) {
    return error instanceof Refusal ? error.status : error
  }
  return 'accepted'
}

describe('the request target', () => {
  it.each([
    ['/v1/secret/data/a', '/v1/secret/data/a'],
    ['/v1/secret/data/a%2Fb', '/v1/secret/data/a/b'],
    ['/v1/secret/data/a%252Fb', '/v1/secret/data/a%2Fb'],
    ['/v1/secret/data/%C3%A4', '/v1/secret/data/ä'],
    ['/v1/secret/data/a b', '/v1/secret/data/a b'],
    ['/v1/secret/data/a+b', '/v1/secret/data/a+b'],
    ['/v1/secret/data/..a', '/v1/secret/data/..a'],
    ['/v1/secret/data/a/', '/v1/secret/data/a/'],
    ['/v1/secret/data/\u00c3\u00a4', '/v1/secret/data/ä'],
  ])('%j is decoded once to %j', (target, path) => expect(parseTarget(target).path).toBe(path))

  it.each([
    'http://127.0.0.1/v1/sys/health',
    '*',
    '',
    '/v1/a/../b',
    '/v1/a/./b',
    '/v1/a/%2e%2e/b',
    '/v1/a/%2E./b',
    '/v1/a%2f..',
    '/v1/a//b',
    '/v1/a/%2Fb',
    '/v1/a%00b',
    '/v1/a%0ab',
    '/v1/a\u0001b',
    '/v1/a%7fb',
    '/v1/a%',
    '/v1/a%zz',
    '/v1/a%ff',
    '/v1/a%c3',
    '/v1/a%ed%a0%80',
    '/v1/a%c0%af',
    '/v1/a?x=%',
    '/v1/a?x=%ff',
    '/v1/a?x=%00',
  ])('%j is refused with 400', (target) => expect(status(() => parseTarget(target))).toBe(400))

  it('has a query whose values may repeat', () => {
    expect({ ...parseTarget('/v1/a?x=1&y=a+b%26&x=2&z').query }).toEqual({ x: ['1', '2'], y: 'a b&', z: '' })
  })

  it('cannot reach prototypes through the query', () => {
    const { query } = parseTarget('/v1/a?__proto__=1&constructor=2')
    expect(Object.getPrototypeOf(query)).toBeNull()
    expect(Object.keys(query)).toEqual(['__proto__', 'constructor'])
  })
})

describe('headers', () => {
  it.each(['X-Vault-Token', 'x-vault-namespace', 'Authorization', 'X-Vault-Wrap-TTL'])(
    '%s cannot be repeated',
    (name) => {
      expect(status(() => readHeaders([name, 'one', 'Accept', '*/*', name.toUpperCase(), 'two']))).toBe(400)
    },
  )

  it('others are joined', () => expect(readHeaders(['X-A', '1', 'x-a', '2'])['x-a']).toBe('1, 2'))

  it.each([
    [['X-Vault-Token', ' hvs.a '], 'hvs.a'],
    [['Authorization', 'Bearer hvs.b'], 'hvs.b'],
    [['X-Vault-Token', 'hvs.a', 'Authorization', 'Bearer hvs.b'], 'hvs.a'],
    [['Authorization', 'Basic eHg='], ''],
    [[], ''],
  ])('%j carry the token %j', (raw, token) => expect(tokenOf(readHeaders(raw))).toBe(token))

  it('a token with control characters is refused', () => {
    expect(status(() => tokenOf(readHeaders(['X-Vault-Token', 'a\u0007b'])))).toBe(400)
  })

  it.each([
    ['60', 60_000],
    ['1h', 3_600_000],
    ['-1s', 400],
    ['soon', 400],
  ])('X-Vault-Wrap-TTL %j: %s', (text, result) => {
    const read = () => wrapTtlOf(readHeaders(['X-Vault-Wrap-TTL', text]))
    expect(result === 400 ? status(read) : read()).toBe(result)
  })
})
