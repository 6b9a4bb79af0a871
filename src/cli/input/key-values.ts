import { readFileSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { parseJson } from '../../lib/json/parse.ts'
import type { Json, JsonObject } from '../../lib/json/value.ts'
import { isObject } from '../../sdk/envelope.ts'
import { Failure } from '../command.ts'
import { readAll } from './stream-text.ts'

/**
 * The data arguments of write and kv put: key=value, key=@file, key=-, a whole JSON object by "-" or "@file". A key
 * given twice becomes a list; "\@" starts a value that begins with "@".
 */
export async function readKeyValues(args: readonly string[], stdin: Readable): Promise<JsonObject> {
  // No prototype: "__proto__" is a key like any other.
  const data: Record<string, Json> = Object.create(null)
  const fromStdin = once(() => readAll(stdin))
  for (const arg of args) {
    if (arg === '-') Object.assign(data, objectFrom(await fromStdin(), 'stdin'))
    else if (arg.startsWith('@')) Object.assign(data, objectFrom(readText(arg.slice(1)), arg.slice(1)))
    else addPair(data, arg, await valueFrom(arg, fromStdin))
  }
  return data
}

/** The text of "@file", "-" (stdin) or the argument itself. */
export async function readTextArgument(arg: string, stdin: Readable): Promise<string> {
  if (arg === '-') return readAll(stdin)
  if (arg.startsWith('@')) return readText(arg.slice(1))
  return arg
}

async function valueFrom(arg: string, fromStdin: () => Promise<string>): Promise<string> {
  const at = arg.indexOf('=')
  if (at < 1) {
    throw new Failure(
      1,
      `Failed to parse K=V data: invalid key/value pair "${redacted(arg)}": format must be key=value`,
    )
  }
  const value = arg.slice(at + 1)
  if (value === '-') return fromStdin()
  if (value.startsWith('@')) return readText(value.slice(1))
  return value.startsWith('\\@') ? value.slice(1) : value
}

function addPair(data: Record<string, Json>, arg: string, value: string): void {
  const key = arg.slice(0, arg.indexOf('='))
  const before = data[key]
  const next = before === undefined ? value : Array.isArray(before) ? [...before, value] : [before, value]
  data[key] = next
}

function objectFrom(content: string, where: string): JsonObject {
  const value = parsed(content, where)
  if (!isObject(value)) throw new Failure(1, `Failed to parse K=V data: ${where} holds no JSON object`)
  return value
}

function parsed(content: string, where: string): Json {
  try {
    return parseJson(content)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new Failure(1, `Failed to parse K=V data: ${where} is no JSON: ${why}`, { cause })
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new Failure(1, `Failed to parse K=V data: error reading file: ${why}`, { cause })
  }
}

/** What has no "=" may be a value whose key was forgotten: only its beginning is shown. */
const redacted = (arg: string) => (arg.length > 6 ? `${arg.slice(0, 3)}…` : arg)

function once(read: () => Promise<string>): () => Promise<string> {
  let text: Promise<string> | undefined
  return () => {
    text ??= read()
    return text
  }
}
