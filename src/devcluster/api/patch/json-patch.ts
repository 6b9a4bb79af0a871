/**
 * JSON Patch (RFC 6902) as the API server does it (gopkg.in/evanphx/json-patch.v4): "replace" of a member that is not there
 * adds it, an index below zero counts from the end.
 */
import { equal, isTree, type Tree } from '../tree.ts'

export const maxOperations = 10_000
/** What all "copy" operations of a patch may copy together, in bytes of JSON. */
const maxCopyBytes = 3 * 1024 * 1024

/** Why a patch can't be applied; `test` failures too. */
export class PatchFailure extends Error {
  override name = 'PatchFailure'
}

/** The patched document; `document` stays as it is. */
export function applyJsonPatch(document: unknown, operations: readonly unknown[]): unknown {
  let result: unknown = structuredClone(document)
  const copies: Copies = { bytes: 0 }
  for (const operation of operations) result = applyOne(result, isTree(operation) ? operation : {}, copies)
  return result
}

/** What the copies of one patch came to so far. */
interface Copies {
  bytes: number
}

function applyOne(document: unknown, operation: Tree, copies: Copies): unknown {
  const op = typeof operation['op'] === 'string' ? operation['op'] : 'unknown'
  switch (op) {
    case 'add': {
      const path = pointer(operation, 'path', op)
      add(found(document, path, op, 'path'), path, newValue(operation), `error in add for path: '${path}'`)
      return document
    }
    case 'replace':
      return replace(document, pointer(operation, 'path', op), operation)
    case 'remove': {
      const path = pointer(operation, 'path', op)
      remove(found(document, path, op, 'path'), path, `error in remove for path: '${path}'`)
      return document
    }
    case 'test':
      return test(document, pointer(operation, 'path', op), operation)
    case 'copy':
    case 'move':
      return transfer(document, operation, op, copies)
    default:
      throw new PatchFailure(`Unexpected kind: ${op}`)
  }
}

const newValue = (operation: Tree): unknown => structuredClone(operation['value'] ?? null)

function pointer(operation: Tree, member: 'path' | 'from', op: string): string {
  const text = operation[member]
  if (typeof text === 'string') return text
  throw new PatchFailure(`${op} operation failed to decode ${member}: missing value`)
}

function steps(path: string): readonly string[] {
  return path
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
}

const lastStep = (path: string): string => steps(path).at(-1) ?? ''

type Container = Tree | unknown[]

/** What holds the last step of a path. */
function found(document: unknown, path: string, op: string, member: 'path' | 'from'): Container {
  let here: unknown = path.startsWith('/') ? document : undefined
  for (const step of steps(path).slice(0, -1)) {
    if (Array.isArray(here)) here = here[indexOf(step, here.length) ?? -1]
    else here = isTree(here) && Object.hasOwn(here, step) ? here[step] : undefined
  }
  if (Array.isArray(here) || isTree(here)) return here
  throw missingPath(path, op, member)
}

function missingPath(path: string, op: string, member: 'path' | 'from'): PatchFailure {
  if (op === 'test') return new PatchFailure(`test operation does not apply: is missing path: ${path}: missing value`)
  const moves = op === 'move' || op === 'copy'
  const which = moves ? (member === 'from' ? 'from path' : 'destination path') : 'path'
  const text = moves || op === 'replace' ? path : `"${path}"`
  return new PatchFailure(`${op} operation does not apply: doc is missing ${which}: ${text}: missing value`)
}

/** Of an item that is there. */
function indexOf(step: string, length: number): number | undefined {
  if (!/^[+-]?\d+$/.test(step)) return undefined
  const index = Number(step)
  const counted = index < 0 ? index + length : index
  return counted >= 0 && counted < length ? counted : undefined
}

function indexIn(list: readonly unknown[], step: string, context: string): number {
  const index = indexOf(step, list.length)
  if (index === undefined) throw new PatchFailure(`${context}: ${indexProblem(step)}`)
  return index
}

function indexProblem(step: string): string {
  if (!/^[+-]?\d+$/.test(step)) return `strconv.Atoi: parsing ${JSON.stringify(step)}: invalid syntax`
  return `Unable to access invalid index: ${Number(step)}: invalid index referenced`
}

function add(container: Container, path: string, value: unknown, context: string): void {
  const step = lastStep(path)
  if (!Array.isArray(container)) {
    // The document's prototype is not the patch's to set.
    if (step === '__proto__') throw new PatchFailure(`${context}: a member may not be called "__proto__"`)
    container[step] = value
    return
  }
  // Behind the last item is a place too; below zero counts with that place.
  const index = step === '-' ? container.length : indexOf(step, container.length + 1)
  if (index === undefined) {
    const words = /^[+-]?\d+$/.test(step) ? '' : `value was not a proper array index: '${step}': `
    throw new PatchFailure(`${context}: ${words}${indexProblem(step)}`)
  }
  container.splice(index, 0, value)
}

function remove(container: Container, path: string, context: string): void {
  const step = lastStep(path)
  if (Array.isArray(container)) container.splice(indexIn(container, step, context), 1)
  else if (Object.hasOwn(container, step)) delete container[step]
  else throw new PatchFailure(`${context}: Unable to remove nonexistent key: ${step}: missing value`)
}

function replace(document: unknown, path: string, operation: Tree): unknown {
  const value = newValue(operation)
  if (path === '') {
    if (isTree(value) || Array.isArray(value)) return value
    throw new PatchFailure('replace operation value must be object or array')
  }
  const container = found(document, path, 'replace', 'path')
  const step = lastStep(path)
  if (!Array.isArray(container)) {
    add(container, path, value, 'replace')
    return document
  }
  const index = indexOf(step, container.length)
  if (index === undefined)
    throw new PatchFailure(`replace operation does not apply: doc is missing key: ${path}: missing value`)
  container[index] = value
  return document
}

function test(document: unknown, path: string, operation: Tree): unknown {
  const value = operation['value'] ?? null
  const failed = new PatchFailure(`testing value ${path} failed: test failed`)
  if (path === '') {
    if (!equal(document, value)) throw failed
    return document
  }
  if (!equal(valueAt(found(document, path, 'test', 'path'), path, `error in test for path: '${path}'`), value))
    throw failed
  return document
}

/** null where a member is missing. */
function valueAt(container: Container, path: string, context: string): unknown {
  const step = lastStep(path)
  if (Array.isArray(container)) return container[indexIn(container, step, context)]
  return Object.hasOwn(container, step) ? container[step] : null
}

function transfer(document: unknown, operation: Tree, op: 'copy' | 'move', copies: Copies): unknown {
  const from = pointer(operation, 'from', op)
  const source = found(document, from, op, 'from')
  const context = op === 'copy' ? `error in copy for from: '${from}'` : `error in move for path: '${lastStep(from)}'`
  const held = valueAt(source, from, context)
  // What moves is nobody's but its new place's.
  const value = op === 'copy' ? copied(held, copies) : held
  if (op === 'move') remove(source, from, context)
  const path = pointer(operation, 'path', op)
  const target = found(document, path, op, 'path')
  add(target, path, value, op === 'copy' ? 'error while adding value during copy' : `error in move for path: '${path}'`)
  return document
}

function copied(value: unknown, copies: Copies): unknown {
  copies.bytes += Buffer.byteLength(JSON.stringify(value ?? null))
  if (copies.bytes > maxCopyBytes)
    throw new PatchFailure(
      `Unable to complete the copy, the accumulated size increase of copy is ${copies.bytes}, exceeding the limit ${maxCopyBytes}`,
    )
  return structuredClone(value)
}
