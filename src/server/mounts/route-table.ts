/** The routes of one mount, compiled once: which route answers a path. */
import type { Route, Verb } from '../contracts/request.ts'

export interface RouteMatch {
  readonly route: Route
  readonly params: Readonly<Record<string, string>>
}

interface Pattern {
  readonly route: Route
  /** Before `{rest...}`, or all segments when there is none. */
  readonly head: readonly Segment[]
  readonly rest?: { readonly name: string; readonly optional: boolean }
  /** Literals after the rest, as in `mounts/{path...}/tune`. */
  readonly tail: readonly string[]
  /** Orders patterns: the most literal first. */
  readonly rank: string
}
interface Segment {
  /** Undefined: any text, which is captured. */
  readonly literal: string | undefined
  readonly name: string
}

const noParams: Record<string, string> = Object.freeze({})

export class RouteTable {
  readonly #byFirst = new Map<string, Pattern[]>()
  readonly #anyFirst: Pattern[] = []

  constructor(routes: readonly Route[]) {
    const patterns = routes.map(compile).sort((a, b) => (a.rank < b.rank ? -1 : a.rank > b.rank ? 1 : 0))
    for (const pattern of patterns) {
      const first = pattern.head[0]
      if (first?.literal === undefined) this.#anyFirst.push(pattern)
    }
    for (const pattern of patterns) {
      const first = pattern.head[0]
      if (first?.literal === undefined || this.#byFirst.has(first.literal)) continue
      const same = patterns.filter(({ head: [f] }) => f?.literal === undefined || f.literal === first.literal)
      this.#byFirst.set(first.literal, same)
    }
  }

  /** The most literal route; among equals one that has the verb. Lists match literal routes with or without a trailing slash. */
  match(path: string, verb: Verb): RouteMatch | undefined {
    const list = verb === 'list' || verb === 'scan'
    const segments = path.split('/')
    let found: { pattern: Pattern; params: RouteMatch['params'] } | undefined
    for (const pattern of this.#byFirst.get(segments[0] ?? '') ?? this.#anyFirst) {
      if (found && pattern.rank !== found.pattern.rank) break
      if (found && !pattern.route.on[verb]) continue
      const params = matchPattern(pattern, segments, list)
      if (!params) continue
      found = { pattern, params }
      if (pattern.route.on[verb]) break
    }
    return found && { route: found.pattern.route, params: found.params }
  }
}

function compile(route: Route): Pattern {
  const head: Segment[] = []
  const tail: string[] = []
  let rest: Pattern['rest']
  let rank = ''
  for (const part of route.path.split('/')) {
    const capture = /^\{([a-z0-9_]+)(\.\.\.)?(\?)?\}$/i.exec(part)
    if (!capture) {
      if (rest) tail.push(part)
      else head.push({ literal: part, name: '' })
      rank += '0'
    } else if (capture[2]) {
      if (rest) throw new Error(`two rests in the route ${route.path}`)
      rest = { name: capture[1] ?? '', optional: capture[3] !== undefined }
      rank += '2'
    } else if (rest) {
      throw new Error(`only literals may follow the rest in the route ${route.path}`)
    } else {
      head.push({ literal: undefined, name: capture[1] ?? '' })
      rank += '1'
    }
  }
  // A literal after the rest makes `a/{rest...}/tune` more literal than `a/{rest...}`.
  rank = tail.length > 0 ? rank.replace(/20+$/, (text) => `1${text.slice(1)}2`) : rank
  return { route, head, rest, tail, rank }
}

function matchPattern(
  pattern: Pattern,
  segments: readonly string[],
  list: boolean,
): Readonly<Record<string, string>> | undefined {
  const { head, rest, tail } = pattern
  let length = segments.length
  if (list && (!rest || tail.length > 0) && length > 1 && segments[length - 1] === '') length -= 1
  const least = head.length + tail.length
  if (rest ? length < least + (rest.optional ? 0 : 1) : length !== least) return undefined
  for (let i = 0; i < tail.length; i += 1) if (tail[i] !== segments[length - tail.length + i]) return undefined
  const params = matchHead(head, segments)
  if (!params || !rest) return params
  const [from, to] = [head.length, length - tail.length]
  const text = to - from === 1 ? (segments[from] ?? '') : segments.slice(from, to).join('/')
  if (text === '' && !rest.optional) return undefined
  return params === noParams ? { [rest.name]: text } : { ...params, [rest.name]: text }
}

function matchHead(head: readonly Segment[], segments: readonly string[]): Record<string, string> | undefined {
  let params: Record<string, string> | undefined
  let i = 0
  for (const { literal, name } of head) {
    const text = segments[i] ?? ''
    i += 1
    if (literal !== undefined) {
      if (literal !== text) return undefined
    } else if (text === '') return undefined
    else {
      params ??= {}
      params[name] = text
    }
  }
  return params ?? noParams
}
