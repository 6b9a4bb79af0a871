/** Reading and building plain JSON trees of unknown shape. */

export type Tree = { [member: string]: unknown }

/** Deeper documents are refused: every walk of this folder is recursive. */
const maxDepth = 100

export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  let here = value
  for (const step of path) {
    if (Array.isArray(here)) here = here[Number(step)]
    else if (isTree(here) && Object.hasOwn(here, step)) here = here[step]
    else return undefined
  }
  return here
}

export function treeAt(value: unknown, ...path: readonly (string | number)[]): Tree | undefined {
  const found = at(value, ...path)
  return isTree(found) ? found : undefined
}

export function textAt(value: unknown, ...path: readonly (string | number)[]): string | undefined {
  const found = at(value, ...path)
  return typeof found === 'string' ? found : undefined
}

export function numberAt(value: unknown, ...path: readonly (string | number)[]): number | undefined {
  const found = at(value, ...path)
  return typeof found === 'number' ? found : undefined
}

/** Empty when there is none. */
export function listAt(value: unknown, ...path: readonly (string | number)[]): readonly unknown[] {
  const found = at(value, ...path)
  return Array.isArray(found) ? found : []
}

export function treesAt(value: unknown, ...path: readonly (string | number)[]): readonly Tree[] {
  return listAt(value, ...path).filter(isTree)
}

export function textsAt(value: unknown, ...path: readonly (string | number)[]): readonly string[] {
  return listAt(value, ...path).filter((item) => typeof item === 'string')
}

/** The members whose values are text. */
export function textMapAt(value: unknown, ...path: readonly (string | number)[]): Readonly<Record<string, string>> {
  const out: Record<string, string> = {}
  for (const [key, text] of Object.entries(treeAt(value, ...path) ?? {})) if (typeof text === 'string') out[key] = text
  return out
}

/** The object below `path`, made where it is missing. */
export function ensureTree(value: Tree, ...path: readonly string[]): Tree {
  let here = value
  for (const step of path) {
    const next = here[step]
    if (isTree(next)) {
      here = next
      continue
    }
    const made: Tree = {}
    here[step] = made
    here = made
  }
  return here
}

/** Sets a member that is missing or null. */
export function setDefault(value: Tree, member: string, content: unknown): void {
  if (value[member] === undefined || value[member] === null) value[member] = content
}

export function equal(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  if (Array.isArray(a))
    return Array.isArray(b) && a.length === b.length && a.every((item, index) => equal(item, b[index]))
  if (!isTree(a) || !isTree(b)) return false
  const keys = definedKeys(a)
  return keys.length === definedKeys(b).length && keys.every((key) => Object.hasOwn(b, key) && equal(a[key], b[key]))
}

function definedKeys(value: Tree): string[] {
  return Object.keys(value).filter((key) => value[key] !== undefined)
}

/** Says what makes a document unusable here: depth, or a member that JavaScript would take for the prototype. */
export function treeProblem(value: unknown, depth = 0): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  if (depth > maxDepth) return `exceeded max depth (${maxDepth})`
  if (Array.isArray(value)) return firstProblem(value, depth)
  if (Object.hasOwn(value, '__proto__')) return 'a member may not be called "__proto__"'
  return firstProblem(Object.values(value), depth)
}

function firstProblem(values: readonly unknown[], depth: number): string | undefined {
  for (const value of values) {
    const problem = treeProblem(value, depth + 1)
    if (problem) return problem
  }
  return undefined
}
