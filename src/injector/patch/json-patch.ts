import { Denial } from '../annotations/values.ts'

/** RFC 6902. */
export interface JsonPatchOperation {
  readonly op: 'add' | 'remove' | 'replace' | 'move' | 'copy' | 'test'
  readonly path: string
  readonly from?: string
  readonly value?: unknown
}

/** Throws Denial when the text is no list of operations. */
export function parseJsonPatch(text: string): readonly JsonPatchOperation[] {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch (error) {
    const words = error instanceof Error ? error.message : 'no JSON'
    throw new Denial(words.charAt(0).toLowerCase() + words.slice(1))
  }
  if (!Array.isArray(parsed)) throw new Denial('json: cannot unmarshal into a list of operations')
  return parsed.map(readOperation)
}

const operations = ['add', 'remove', 'replace', 'move', 'copy', 'test'] as const

function readOperation(value: unknown): JsonPatchOperation {
  if (!isObject(value)) throw new Denial('an operation of a JSON patch must be an object')
  const op = operations.find((name) => name === value['op'])
  const { path, from } = value
  if (!op || typeof path !== 'string') throw new Denial('an operation of a JSON patch needs "op" and "path"')
  if (typeof from === 'string') return { op, path, from }
  if (op === 'move' || op === 'copy') throw new Denial(`the JSON patch operation ${op} needs "from"`)
  return 'value' in value ? { op, path, value: value['value'] } : { op, path }
}

/** A patched copy. Throws Denial when an operation does not fit. */
export function applyJsonPatch(document: unknown, patch: readonly JsonPatchOperation[]): unknown {
  let root: unknown = structuredClone(document)
  for (const operation of patch) root = applyOne(root, operation)
  return root
}

function applyOne(root: unknown, operation: JsonPatchOperation): unknown {
  const { op, path, from = '', value } = operation
  switch (op) {
    case 'add':
      return put(root, path, structuredClone(value), 'add')
    case 'replace':
      return put(root, path, structuredClone(value), 'replace')
    case 'remove':
      return remove(root, path)
    case 'copy':
      return put(root, path, structuredClone(valueAt(root, from)), 'add')
    case 'move': {
      const moved = valueAt(root, from)
      return put(remove(root, from), path, moved, 'add')
    }
    case 'test':
      if (canonical(valueAt(root, path)) !== canonical(value)) throw new Denial(`testing path ${path} value failed`)
      return root
  }
}

function put(root: unknown, path: string, value: unknown, mode: 'add' | 'replace'): unknown {
  const keys = pointer(path)
  const last = keys.pop()
  if (last === undefined) return value
  const parent = walk(root, keys, path)
  if (Array.isArray(parent)) {
    const index = last === '-' && mode === 'add' ? parent.length : indexOf(last, path)
    if (index > parent.length || (mode === 'replace' && index >= parent.length)) throw missing(path)
    parent.splice(index, mode === 'add' ? 0 : 1, value)
  } else if (isObject(parent)) {
    if (mode === 'replace' && !Object.hasOwn(parent, last)) throw missing(path)
    Object.defineProperty(parent, last, { value, enumerable: true, configurable: true, writable: true })
  } else throw missing(path)
  return root
}

function remove(root: unknown, path: string): unknown {
  const keys = pointer(path)
  const last = keys.pop()
  if (last === undefined) return null
  const parent = walk(root, keys, path)
  if (Array.isArray(parent) && indexOf(last, path) < parent.length) parent.splice(indexOf(last, path), 1)
  else if (isObject(parent) && Object.hasOwn(parent, last)) delete parent[last]
  else throw missing(path)
  return root
}

const valueAt = (root: unknown, path: string) => walk(root, pointer(path), path)

function walk(root: unknown, keys: readonly string[], path: string): unknown {
  let at = root
  for (const key of keys) {
    if (Array.isArray(at) && indexOf(key, path) < at.length) at = at[indexOf(key, path)]
    else if (isObject(at) && Object.hasOwn(at, key)) at = at[key]
    else throw missing(path)
  }
  return at
}

function pointer(path: string): string[] {
  if (path === '') return []
  if (!path.startsWith('/')) throw new Denial(`${JSON.stringify(path)} is no JSON pointer`)
  return path
    .slice(1)
    .split('/')
    .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'))
}

function indexOf(key: string, path: string): number {
  if (!/^(0|[1-9]\d*)$/.test(key)) throw missing(path)
  return Number(key)
}

const missing = (path: string) => new Denial(`unable to use path ${path}: there is nothing`)

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Equal for equal JSON, whatever the order of members. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (!isObject(value)) return JSON.stringify(value) ?? 'null'
  const members = Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`)
  return `{${members.join(',')}}`
}
