/** Values of first requests that stand elsewhere: in the environment, in files, in earlier requests and answers. */
import { readFileSync } from 'node:fs'
import type { Json, JsonObject } from '../../../lib/json/value.ts'

export interface Sources {
  readonly env: Readonly<Record<string, string | undefined>>
  /** By "initialize/request". */
  readonly requests: ReadonlyMap<string, Json>
  readonly responses: ReadonlyMap<string, Json>
}

/** Throws an Error that names the source and never a value. */
export function resolveValue(value: Json, sources: Sources): Json {
  if (Array.isArray(value)) return value.map((item: Json) => resolveValue(item, sources))
  if (!isObject(value)) return value
  if (typeof value['eval_source'] === 'string') return converted(fromSource(value, sources), value)
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, resolveValue(member ?? null, sources)]))
}

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function fromSource(at: JsonObject, sources: Sources): Json {
  const text = (name: string) => {
    const found = at[name]
    if (typeof found !== 'string') throw new Error(`the source "${at['eval_source']}" needs ${name}`)
    return found
  }
  switch (at['eval_source']) {
    case 'env':
      return fromEnvironment(text('env_var'), at['require_present'] === true, sources.env)
    case 'file':
      return fromFile(text('path'))
    case 'request':
      return selected(sources.requests, `${text('initialize_name')}/${text('request_name')}`, at['field_selector'])
    case 'response':
      return selected(sources.responses, `${text('initialize_name')}/${text('response_name')}`, at['field_selector'])
    default:
      throw new Error(`eval_source "${at['eval_source']}" is not supported: env, file, request and response are`)
  }
}

function fromEnvironment(name: string, required: boolean, env: Sources['env']): string {
  const value = env[name]
  if (value === undefined && required) throw new Error(`the environment has no ${name}`)
  return value ?? ''
}

function fromFile(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new Error(`the file ${path} cannot be read`, { cause })
  }
}

function selected(known: ReadonlyMap<string, Json>, name: string, selector: Json | undefined): Json {
  const steps = typeof selector === 'string' ? [selector] : Array.isArray(selector) ? selector : []
  let value: Json | undefined = known.get(name)
  if (value === undefined) throw new Error(`no request "${name}" was done before this one`)
  for (const step of steps) {
    value = isObject(value) && Object.hasOwn(value, String(step)) ? value[String(step)] : undefined
    if (value === undefined) throw new Error(`"${name}" has no ${steps.join('.')}`)
  }
  return value
}

function converted(value: Json, { eval_type: type, eval_source: source }: JsonObject): Json {
  const wrong = () => new Error(`what the source "${source}" gave is no ${type}`)
  switch (type) {
    case 'string':
      return typeof value === 'object' ? JSON.stringify(value) : String(value)
    case 'int':
    case 'float64': {
      const number = Number(value)
      if (value === '' || Number.isNaN(number) || (type === 'int' && !Number.isInteger(number))) throw wrong()
      return number
    }
    case 'bool':
      if (value === true || value === 'true' || value === '1') return true
      if (value === false || value === 'false' || value === '0') return false
      throw wrong()
    case '[]string':
      if (Array.isArray(value)) return value.map(String)
      return typeof value === 'string' ? value.split(',') : [String(value)]
    case 'map':
    case 'map[string]any':
      if (!isObject(value)) throw wrong()
      return value
    case 'any':
    case 'interface{}':
      return value
    default:
      throw new Error(`eval_type "${type}" is not supported: string, int, float64, bool, []string, map and any are`)
  }
}
