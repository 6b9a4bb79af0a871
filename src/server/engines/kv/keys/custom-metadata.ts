import { Refusal } from '../../../contracts/request.ts'
import type { CustomMetadata } from './key-row.ts'

const most = { keys: 64, keyBytes: 128, valueBytes: 512 }
const control = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Cs}\p{Zl}\p{Zp}]/u

/** Refusal 400 with everything that is wrong, in Vault's words. */
export function checkCustom(custom: CustomMetadata): CustomMetadata {
  const entries = Object.entries(custom ?? {})
  const wrong =
    entries.length > most.keys
      ? [`payload must contain at most ${most.keys} keys, provided ${entries.length}`]
      : entries.flatMap(([name, value]) => problemsOf(name, value))
  if (wrong.length === 0) return custom
  const lines = wrong.map((problem) => `\t* custom_metadata validation failed: ${problem}\n`)
  throw new Refusal(400, `${wrong.length} error${wrong.length === 1 ? '' : 's'} occurred:\n${lines.join('')}\n`)
}

function problemsOf(name: string, value: string): string[] {
  const quoted = JSON.stringify(name)
  const [nameBytes, valueBytes] = [Buffer.byteLength(name), Buffer.byteLength(value)]
  const problems: string[] = []
  if (nameBytes === 0 || nameBytes > most.keyBytes)
    problems.push(`length of key ${quoted} is ${nameBytes} but must be 0 < len(key) <= ${most.keyBytes}`)
  if (valueBytes === 0 || valueBytes > most.valueBytes)
    problems.push(`length of value for key ${quoted} is ${valueBytes} but must be 0 < len(value) <= ${most.valueBytes}`)
  if (control.test(name)) problems.push(`key ${quoted} (${name}) contains unprintable characters`)
  if (control.test(value)) problems.push(`value for key ${quoted} contains unprintable characters`)
  return problems
}
