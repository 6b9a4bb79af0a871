import { describe, expect, it } from 'vitest'
import { systemRandom } from '../../../lib/random.ts'
import { rootNamespace } from '../../contracts/epochs.ts'
import { FakeRows } from '../../contracts/fake-rows.ts'
import { generatePassword } from './generate-password.ts'
import { parsePasswordPolicy } from './parse-password-policy.ts'
import { PasswordPolicies } from './password-policies.ts'

const simple =
  'length = 20\nrule "charset" { charset = "abc" min-chars = 1 }\nrule "charset" { charset = "0123456789" min-chars = 2 }'
const setUp = () => {
  const rows = new FakeRows()
  return { rows, passwords: new PasswordPolicies({ rows, namespace: rootNamespace, random: systemRandom }) }
}

it.each([
  ['length = ', 'unable to decode: At 1:11: Unknown token: 1:11 EOF '],
  ['length = "x"', "failed to decode configuration: 'length' must be a whole number"],
  ['rule "charset" { charset = "a" }', '1 error occurred:\n\t* length must be > 0\n\n'],
  ['length = 5', '1 error occurred:\n\t* no charset specified\n\n'],
  ['', '2 errors occurred:\n\t* length must be > 0\n\t* no charset specified\n\n'],
  [
    'length = 5 rule "charset" { charset = "a" min-chars = 6 }',
    '1 error occurred:\n\t* specified rules require at least 6 characters but 5 is specified\n\n',
  ],
  ['length = 5 rule "charset" { charset = "a\\n" }', '1 error occurred:\n\t* non-printable character in charset\n\n'],
  ['length = 5 rule "words" {}', 'unable to parse rules: unable to parse rule words: unrecognized rule type words'],
  ['length = 5 size = 5', 'unknown key "size" on line 1'],
  [
    'length = 5 rule "charset" { charset = "a" min_chars = 1 }',
    'unable to parse rules: unable to parse rule charset: failed to parse charset restriction: unknown key "min_chars"',
  ],
])('refuses %j in these words', async (text, message) => {
  const { rows, passwords } = setUp()
  if (text === '') expect(() => parsePasswordPolicy(text)).toThrow(`invalid password policy: ${message}`)
  else
    await expect(passwords.put('p', text)).rejects.toMatchObject({
      status: 400,
      message: `invalid password policy: ${message}`,
    })
  expect(rows.rows.size).toBe(0)
})

it('refuses lengths and rules that no password can have', async () => {
  const { passwords } = setUp()
  const of = (length: number, rules = 'rule "charset" { charset = "ab" }') =>
    passwords.put('p', `length = ${length} ${rules}`)
  await expect(of(3)).rejects.toThrow('passwords must be between 4 and 100 characters')
  await expect(of(101)).rejects.toThrow('passwords must be between 4 and 100 characters')
  await of(4)
  await of(100)
  const set = (n: number) => String.fromCodePoint(...Array.from({ length: 10 }, (_, i) => 0x4e00 + 10 * n + i))
  const rare = Array.from({ length: 10 }, (_, n) => `rule "charset" { charset = "${set(n)}" min-chars = 10 }`)
  await expect(of(100, rare.join('\n'))).rejects.toThrow('are the rules impossible?')
  await expect(passwords.put('p', '')).rejects.toThrow('missing policy')
  await expect(passwords.put('', simple)).rejects.toThrow('missing policy name')
  await expect(passwords.put('n'.repeat(513), simple)).rejects.toMatchObject({ status: 400 })
})

it('keeps, lists and deletes policies; base64 and JSON too', async () => {
  const { passwords } = setUp()
  await passwords.put('b', Buffer.from(simple).toString('base64'))
  await passwords.put('A/x', '{"length":5,"rule":[{"charset":{"charset":"ab","min-chars":1}}]}')
  expect(await passwords.get('b')).toBe(simple)
  expect(await passwords.list()).toEqual(['A/x', 'b'])
  expect(await passwords.generate('A/x')).toMatch(/^[ab]{5}$/)
  await passwords.delete('b')
  await passwords.delete('never')
  expect(await passwords.get('b')).toBeUndefined()
  await expect(passwords.generate('b')).rejects.toMatchObject({ status: 404, message: 'policy does not exist' })
})

describe('passwords', () => {
  it('have what every rule asks for and nothing else', async () => {
    const policy = parsePasswordPolicy(simple)
    for (let i = 0; i < 200; i += 1) {
      const password = (await generatePassword(policy, systemRandom)) ?? ''
      expect(password).toMatch(/^[abc0-9]{20}$/)
      expect(password.replace(/[^abc]/g, '').length).toBeGreaterThanOrEqual(1)
      expect(password.replace(/\D/g, '').length).toBeGreaterThanOrEqual(2)
    }
  })

  it('favour no character, whatever the size of the set', async () => {
    // Every byte once: 256 is no multiple of 100, so a plain remainder would give the first 56 a third turn.
    const characters = Array.from({ length: 100 }, (_, i) => String.fromCodePoint(0x4e00 + i))
    const policy = { length: 200, rules: [{ charset: characters, minChars: 0 }], characters }
    const everyByte = () => Uint8Array.from({ length: 256 }, (_, i) => i)
    const counts = new Map<string, number>()
    for (const char of (await generatePassword(policy, everyByte)) ?? '') counts.set(char, (counts.get(char) ?? 0) + 1)
    expect([...counts.values()]).toEqual(Array(100).fill(2))
  })

  it('count characters, not code units', async () => {
    const policy = parsePasswordPolicy('length = 6 rule "charset" { charset = "😀😁" }')
    expect([...((await generatePassword(policy, systemRandom)) ?? '')]).toHaveLength(6)
  })
})
