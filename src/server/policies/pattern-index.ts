import { compareUtf8 } from '../../lib/json/stringify.ts'

/** A path with wildcards: a trailing `*`, segments `+`, or both. */
export interface Pattern {
  readonly text: string
  /** Without the trailing `*`. */
  readonly stem: string
  readonly isPrefix: boolean
  readonly firstWildcard: number
  readonly plusSegments: number
}

/** Undefined for a path that means only itself. */
export function readPattern(text: string): Pattern | undefined {
  const isPrefix = text.endsWith('*')
  const stem = isPrefix ? text.slice(0, -1) : text
  // A segment that only begins with '+' makes a pattern too, without being a wildcard: so does Vault.
  const hasPlus = text === '+' || text.startsWith('+/') || text.includes('/+')
  if (!isPrefix && !hasPlus) return undefined
  return {
    text,
    stem,
    isPrefix,
    firstWildcard: hasPlus ? text.indexOf('+') : stem.length,
    plusSegments: hasPlus ? stem.split('/').filter((segment) => segment === '+').length : 0,
  }
}

/** Positive when `a` is the more specific: Vault's five tie-breaks, all of them properties of the patterns alone. */
export function compareSpecificity(a: Pattern, b: Pattern): number {
  return (
    a.firstWildcard - b.firstWildcard ||
    Number(b.isPrefix) - Number(a.isPrefix) ||
    b.plusSegments - a.plusSegments ||
    a.stem.length - b.stem.length ||
    compareUtf8(a.stem, b.stem)
  )
}

export interface Found<T> {
  readonly pattern: Pattern
  readonly value: T
}
interface Node<T> {
  readonly literals: Map<string, Node<T>>
  plus?: Node<T>
  end?: Found<T>
  /** Prefixes of the segment that would come here, with everything after it. */
  readonly globs: Map<string, Found<T>>
  /** The lengths of their texts, longest first. */
  globLengths: number[]
}

function emptyNode<T>(): Node<T> {
  return { literals: new Map(), globs: new Map(), globLengths: [] }
}

/** Whether a pattern matches a path; the index answers for many at once. */
export function patternMatches(pattern: Pattern, path: string): boolean {
  const wanted = pattern.stem.split('/')
  const given = path.split('/')
  const open = pattern.isPrefix ? (wanted.pop() ?? '') : undefined
  if (open === undefined ? given.length !== wanted.length : given.length <= wanted.length) return false
  if (!wanted.every((segment, i) => segment === '+' || segment === given[i])) return false
  return open === undefined || (given[wanted.length] ?? '').startsWith(open)
}

/** Finds the most specific of many patterns by walking a path's segments: the cost grows with the path, not with the patterns. */
export class PatternIndex<T> {
  readonly #root: Node<T> = emptyNode()

  /** Each pattern once. */
  add(pattern: Pattern, value: T): void {
    const entry = { pattern, value }
    const segments = pattern.stem.split('/')
    const last = pattern.isPrefix ? (segments.pop() ?? '') : undefined
    let node = this.#root
    for (const segment of segments) node = child(node, segment)
    if (last === undefined) {
      node.end = entry
    } else {
      node.globs.set(last, entry)
      node.globLengths = [...new Set([...node.globLengths, last.length])].sort((a, b) => b - a)
    }
  }

  best(path: string): Found<T> | undefined {
    return search(this.#root, path.split('/'), 0, undefined)
  }
}

function child<T>(node: Node<T>, segment: string): Node<T> {
  if (segment === '+') {
    node.plus ??= emptyNode()
    return node.plus
  }
  const known = node.literals.get(segment)
  if (known) return known
  const added = emptyNode<T>()
  node.literals.set(segment, added)
  return added
}

function search<T>(
  node: Node<T>,
  segments: readonly string[],
  at: number,
  found: Found<T> | undefined,
): Found<T> | undefined {
  const segment = segments[at]
  if (segment === undefined) return better(node.end, found)
  let best = found
  // Of one node's globs the longest is the most specific.
  for (const length of node.globLengths) {
    const entry = length <= segment.length ? node.globs.get(segment.slice(0, length)) : undefined
    if (entry) {
      best = better(entry, best)
      break
    }
  }
  const literal = node.literals.get(segment)
  if (literal) best = search(literal, segments, at + 1, best)
  return node.plus ? search(node.plus, segments, at + 1, best) : best
}

function better<T>(a: Found<T> | undefined, b: Found<T> | undefined): Found<T> | undefined {
  if (!a || !b) return a ?? b
  return compareSpecificity(a.pattern, b.pattern) > 0 ? a : b
}
