/** Password policies: how long, of which characters, and how many of each kind at least. */
import { parseHcl } from '../../../lib/hcl/parse.ts'
import { blocks, members } from '../../../lib/hcl/read.ts'
import { HclError, type HclItem, type HclObject } from '../../../lib/hcl/tree.ts'
import { Refusal } from '../../contracts/request.ts'

export interface CharsetRule {
  /** Characters (code points), each once. */
  readonly charset: readonly string[]
  readonly minChars: number
}

export interface PasswordPolicy {
  readonly length: number
  readonly rules: readonly CharsetRule[]
  /** Of all rules together, sorted, each once. */
  readonly characters: readonly string[]
}

const maxCharacters = 256

/** Refusal 400 "invalid password policy: …" in Vault's words; what Vault would ignore is refused too. */
export function parsePasswordPolicy(text: string): PasswordPolicy {
  try {
    return read(text)
  } catch (error) {
    if (error instanceof HclError) {
      throw invalid(`unable to decode: At ${error.line}:${error.column}: ${error.reason}`)
    }
    throw error
  }
}

const invalid = (why: string) => new Refusal(400, `invalid password policy: ${why}`)

function read(text: string): PasswordPolicy {
  const document = parseHcl(text)
  for (const item of document.items) {
    if (item.key !== 'length' && item.key !== 'rule')
      throw invalid(`unknown key ${JSON.stringify(item.key)} on line ${item.line}`)
  }
  const length = readLength(document.items.filter((item) => item.key === 'length'))
  const rules = blocks(document, 'rule', 1).map(({ labels: [type = ''], body }) => {
    if (type === 'charset') return readCharset(body)
    throw invalid(`unable to parse rules: unable to parse rule ${type}: unrecognized rule type ${type}`)
  })
  const characters = [...new Set(rules.flatMap((rule) => rule.charset))].sort()
  check(length, rules, characters)
  return { length, rules, characters }
}

function readLength([item, again]: readonly HclItem[]): number {
  if (again) throw new HclError('duplicate key "length"', again)
  return item ? wholeNumber(item) : 0
}

function readCharset(body: HclObject): CharsetRule {
  const { charset, 'min-chars': minChars, ...others } = members(body)
  const [other] = Object.keys(others)
  const failed = 'unable to parse rules: unable to parse rule charset: failed to parse charset restriction'
  if (other !== undefined) throw invalid(`${failed}: unknown key ${JSON.stringify(other)}`)
  if (charset && typeof charset.value !== 'string') throw invalid(`${failed}: 'charset' must be a string`)
  const text = typeof charset?.value === 'string' ? charset.value : ''
  return { charset: [...new Set(text)], minChars: minChars ? wholeNumber(minChars) : 0 }
}

function wholeNumber(item: HclItem): number {
  const { value } = item
  const number = typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value
  if (typeof number === 'number' && Number.isSafeInteger(number)) return number
  throw invalid(`failed to decode configuration: '${item.key}' must be a whole number`)
}

function check(length: number, rules: readonly CharsetRule[], characters: readonly string[]): void {
  const problems: string[] = []
  const least = rules.reduce((sum, { minChars }) => sum + Math.max(0, minChars), 0)
  if (length <= 0) problems.push('length must be > 0')
  else if (length < least) {
    problems.push(`specified rules require at least ${least} characters but ${length} is specified`)
  }
  if (characters.length === 0) problems.push('no charset specified')
  // Go's unicode.IsPrint: letters, marks, numbers, punctuation, symbols and the plain space.
  else if (!characters.every((char) => /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u.test(char))) {
    problems.push('non-printable character in charset')
  }
  if (characters.length > maxCharacters) problems.push(`charset is too long: limited to ${maxCharacters} characters`)
  if (problems.length === 0) return
  const count = problems.length === 1 ? '1 error' : `${problems.length} errors`
  throw invalid(`${count} occurred:\n${problems.map((problem) => `\t* ${problem}\n`).join('')}\n`)
}
