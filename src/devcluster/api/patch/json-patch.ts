/** JSON Patch (RFC 6902). */
import { equal, isTree } from '../tree.ts'

export const maxOperations = 10_000

/** Why a patch can't be applied; `test` failures too. */
export class PatchFailure extends Error {
  override name = 'PatchFailure'
}

/** The patched document; `document` stays as it is. */
export function applyJsonPatch(document: unknown, operations: readonly unknown[]): unknown {
  let result: unknown = structuredClone(document)
  for (const operation of operations) result = applyOne(result, operation)
  return result
}

function applyOne(document: unknown, operation: unknown): unknown {
  if (!isTree(operation)) throw new PatchFailure('an operation must be an object')
  const path = pointer(operation['path'], 'path')
  switch (operation['op']) {
    case 'add':
      return put(document, path, newValue(operation), 'add')
    case 'replace':
      read(document, path)
      return put(document, path, newValue(operation), 'replace')
    case 'remove':
      return remove(document, path)
    case 'test':
      return test(document, path, operation['value'])
    case 'copy':
      return put(document, path, structuredClone(read(document, pointer(operation['from'], 'from'))), 'add')
    case 'move':
      return move(document, pointer(operation['from'], 'from'), path)
    default:
      throw new PatchFailure(`Unexpected kind: ${String(operation['op'])}`)
  }
}

function newValue(operation: { [member: string]: unknown }): unknown {
  if (!Object.hasOwn(operation, 'value')) throw new PatchFailure('an operation lacks its value')
  return structuredClone(operation['value'])
}

function pointer(text: unknown, member: string): readonly string[] {
  if (typeof text !== 'string') throw new PatchFailure(`an operation lacks its ${member}`)
  if (text === '') return []
  if (!text.startsWith('/')) throw new PatchFailure(`${member} "${text}" must start with "/"`)
  return text
    .slice(1)
    .split('/')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
}

function missing(path: readonly string[]): PatchFailure {
  return new PatchFailure(`doc is missing path: /${path.join('/')}: missing value`)
}

function read(document: unknown, path: readonly string[]): unknown {
  let here = document
  for (const step of path) {
    if (Array.isArray(here)) here = here[indexIn(here, step, path, 0)]
    else if (isTree(here) && Object.hasOwn(here, step)) here = here[step]
    else throw missing(path)
  }
  return here
}

/** `extra` is 1 where the place behind the last item counts too. */
function indexIn(list: readonly unknown[], step: string, path: readonly string[], extra: 0 | 1): number {
  if (step === '-' && extra === 1) return list.length
  if (!/^(0|[1-9]\d*)$/.test(step)) throw new PatchFailure(`invalid array index in /${path.join('/')}`)
  const index = Number(step)
  if (index >= list.length + extra) throw missing(path)
  return index
}

function put(document: unknown, path: readonly string[], value: unknown, how: 'add' | 'replace'): unknown {
  const last = path.at(-1)
  if (last === undefined) return value
  if (last === '__proto__') throw missing(path)
  const parent = read(document, path.slice(0, -1))
  if (Array.isArray(parent)) {
    if (how === 'add') parent.splice(indexIn(parent, last, path, 1), 0, value)
    else parent[indexIn(parent, last, path, 0)] = value
  } else if (isTree(parent)) {
    parent[last] = value
  } else {
    throw missing(path)
  }
  return document
}

function remove(document: unknown, path: readonly string[]): unknown {
  const last = path.at(-1)
  if (last === undefined) throw new PatchFailure('the whole document can not be removed')
  read(document, path)
  const parent = read(document, path.slice(0, -1))
  if (Array.isArray(parent)) parent.splice(indexIn(parent, last, path, 0), 1)
  else if (isTree(parent)) delete parent[last]
  return document
}

function test(document: unknown, path: readonly string[], value: unknown): unknown {
  if (!equal(read(document, path), value ?? null)) throw new PatchFailure(`testing path /${path.join('/')} failed`)
  return document
}

function move(document: unknown, from: readonly string[], to: readonly string[]): unknown {
  if (to.length > from.length && from.every((step, index) => to[index] === step))
    throw new PatchFailure('a value can not be moved into itself')
  const value = read(document, from)
  return put(remove(document, from), to, value, 'add')
}
