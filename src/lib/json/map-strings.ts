import { stringifyJson } from './stringify.ts'
import { Tokenizer } from './tokenizer.ts'
import { type Json, JsonNumber, RawJson } from './value.ts'
import { trusted, walkMembers, walkValue } from './walk.ts'

export interface MapStringsOptions {
  /** Members of the outermost object whose values stay as they are, whatever is inside. */
  readonly exempt?: ReadonlySet<string>
}

/**
 * JSON text of `json` with every string value (not the keys) replaced by `fn` of it, which is JSON text too. RawJson is
 * rewritten as text, without building anything: this is on the path of each audited request.
 */
export function mapStrings(json: Json, fn: (value: string) => string, options: MapStringsOptions = {}): string {
  const exempt = options.exempt && options.exempt.size > 0 ? options.exempt : undefined
  return mapValue(json, fn, exempt)
}

type Exempt = ReadonlySet<string> | undefined

function mapValue(json: Json, fn: (value: string) => string, exempt: Exempt): string {
  if (typeof json === 'string') return fn(json)
  if (typeof json !== 'object' || json === null || json instanceof JsonNumber) return stringifyJson(json)
  if (json instanceof RawJson) return mapText(json.text, fn, exempt)
  if (isArray(json)) return `[${json.map((element) => mapValue(element, fn, undefined)).join(',')}]`
  let out = ''
  for (const key of Object.keys(json)) {
    const member = json[key]
    if (member === undefined) continue
    const text = exempt?.has(key) ? stringifyJson(member) : mapValue(member, fn, undefined)
    out += `${out === '' ? '' : ','}${stringifyJson(key)}:${text}`
  }
  return `{${out}}`
}

function isArray(value: Json): value is readonly Json[] {
  return Array.isArray(value)
}

function mapText(text: string, fn: (value: string) => string, exempt: Exempt): string {
  const tokens = new Tokenizer(text, trusted)
  let out = ''
  let copied = 0
  const replace = (from: number, to: number, value: string) => {
    out += text.slice(copied, from) + fn(value)
    copied = to
  }
  const keep = () => undefined
  if (exempt && tokens.peek() === 0x7b) {
    walkMembers(tokens, (key) => walkValue(tokens, exempt.has(key) ? keep : replace))
  } else {
    walkValue(tokens, replace)
  }
  tokens.end()
  return out + text.slice(copied)
}
