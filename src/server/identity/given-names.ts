/** What clients may call things and say about them. Refusals are 400. */
import { Refusal } from '../contracts/request.ts'
import type { StringMap } from './entities/entity-row.ts'

const maxPairs = 64
const maxKeyBytes = 128
const maxValueBytes = 512
const maxNameBytes = 512
const maxPolicies = 1000

export function checkName(what: string, name: string): void {
  const bytes = Buffer.byteLength(name)
  if (bytes > maxNameBytes) {
    throw new Refusal(400, `${what} is too long: ${bytes} bytes, the limit is ${maxNameBytes}`)
  }
  if (/[\p{Cc}\p{Surrogate}]/u.test(name)) throw new Refusal(400, `${what} contains a control character`)
}

/** `what`: "entity", "group". */
export function checkMetadata(what: string, metadata: StringMap): void {
  const refuse = (reason: string) => new Refusal(400, `invalid ${what} metadata: ${reason}`)
  const entries = Object.entries(metadata)
  if (entries.length > maxPairs) throw refuse(`metadata cannot contain more than ${maxPairs} key/value pairs`)
  for (const [key, value] of entries) {
    const reason =
      key === ''
        ? 'key cannot be blank'
        : !/^[a-zA-Z0-9_-]+$/.test(key) || key === '__proto__'
          ? 'key contains invalid characters'
          : key.length > maxKeyBytes
            ? `key is too long (limit: ${maxKeyBytes} characters)`
            : Buffer.byteLength(value) > maxValueBytes
              ? `value is too long (limit: ${maxValueBytes} characters)`
              : undefined
    if (reason) throw refuse(`failed to load metadata pair ${JSON.stringify(key)}: ${reason}`)
  }
}

export function checkCustomMetadata(metadata: StringMap): void {
  const prefix = 'custom_metadata validation failed'
  const entries = Object.entries(metadata)
  const errors =
    entries.length > maxPairs
      ? [`${prefix}: payload must contain at most ${maxPairs} keys, provided ${entries.length}`]
      : entries.flatMap(([key, value]) => customErrors(prefix, key, value))
  if (errors.length === 0) return
  const count = errors.length === 1 ? '1 error' : `${errors.length} errors`
  throw new Refusal(400, `${count} occurred:\n${errors.map((error) => `\t* ${error}\n`).join('')}\n`)
}

function customErrors(prefix: string, key: string, value: string): string[] {
  const errors: string[] = []
  const keyBytes = Buffer.byteLength(key)
  const valueBytes = Buffer.byteLength(value)
  const name = JSON.stringify(key)
  if (keyBytes === 0 || keyBytes > maxKeyBytes) {
    errors.push(`${prefix}: length of key ${name} is ${keyBytes} but must be 0 < len(key) <= ${maxKeyBytes}`)
  }
  if (valueBytes === 0 || valueBytes > maxValueBytes) {
    errors.push(
      `${prefix}: length of value for key ${name} is ${valueBytes} but must be 0 < len(value) <= ${maxValueBytes}`,
    )
  }
  if (/\p{C}/u.test(key) || key === '__proto__') errors.push(`${prefix}: key ${name} contains unprintable characters`)
  if (/\p{C}/u.test(value)) errors.push(`${prefix}: value for key ${name} contains unprintable characters`)
  return errors
}

/** Sorted, without blanks and duplicates. */
export function cleanPolicies(policies: readonly string[], lowerCase: boolean): string[] {
  const names = policies
    .map((name) => (lowerCase ? name.trim().toLowerCase() : name.trim()))
    .filter((name) => name !== '')
  const clean = [...new Set(names)].sort()
  if (clean.some((name) => name.toLowerCase() === 'root')) throw new Refusal(400, 'policies cannot contain root')
  if (clean.length > maxPolicies) throw new Refusal(400, `at most ${maxPolicies} policies, not ${clean.length}`)
  for (const name of clean) checkName('policy name', name)
  return clean
}

export const sameMap = (a: StringMap, b: StringMap): boolean => {
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && a[key] === b[key])
}
