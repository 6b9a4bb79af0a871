/** The part of gjson's path language that store properties use (github.com/tidwall/gjson, SYNTAX.md). */
import { arrayNode, type Node, objectNode, parseNode, textNode } from './node.ts'
import { closingBracket, firstStep, type Step, UnsupportedPath } from './path.ts'
import { matches, parseQuery } from './query.ts'
import { matchesWildcard } from './wildcard.ts'

/**
 * What `path` names in the document, as gjson's Result.String(): a string's content, everything else as its JSON text.
 * Unlike gjson, numbers keep their text ("1.50" stays "1.50"). Null is ''. Undefined: the path leads nowhere.
 * Throws UnsupportedPath for multipaths, literals, modifier arguments, @pretty and the query operator "~".
 */
export function gjsonGet(json: string, path: string): string | undefined {
  const root = parseNode(json)
  const found = root && path !== '' ? evaluate(root, path) : undefined
  if (!found) return undefined
  if (found.kind === 'string') return found.value
  return found.kind === 'null' ? '' : found.raw
}

function evaluate(node: Node, path: string): Node | undefined {
  const step = firstStep(path)
  if (step.kind === 'modifier') return follow(modify(node, step.text), step.rest)
  if (step.kind === 'count') return countOrEach(node, step)
  if (step.kind === 'query') return query(node, step)
  if (node.kind === 'object') {
    const entry = node.entries.find(([key]) => (step.pattern ? matchesWildcard(step.pattern, key) : key === step.text))
    return follow(entry?.[1], step.rest)
  }
  if (node.kind === 'array' && /^\d+$/.test(step.text)) return follow(node.items[Number(step.text)], step.rest)
  return undefined
}

function follow(node: Node | undefined, rest: string | undefined): Node | undefined {
  return node && rest !== undefined ? evaluate(node, rest) : node
}

function countOrEach(node: Node, step: Step): Node | undefined {
  if (node.kind !== 'array') return undefined
  if (step.rest === undefined || !step.each) {
    return follow({ kind: 'number', raw: String(node.items.length) }, step.rest)
  }
  return eachOf(node.items, step.rest)
}

/** `#.a.b|c`: up to the first '|' of the rest is applied to each element, what follows it to the resulting array. */
function eachOf(items: readonly Node[], rest: string): Node | undefined {
  const end = pipeAt(rest)
  const pipe = rest.slice(0, end)
  const found = items.map((item) => evaluate(item, pipe)).filter((item) => item !== undefined)
  const array = arrayNode(found)
  return end < rest.length ? evaluate(array, rest.slice(end + 1)) : array
}

function pipeAt(rest: string): number {
  for (let at = 0; at < rest.length; at += 1) {
    if (rest[at] === '\\') at += 1
    else if (rest[at] === '(') at = Math.max(at, closingBracket(rest, at))
    else if (rest[at] === '|') return at
  }
  return rest.length
}

function query(node: Node, step: Step): Node | undefined {
  if (node.kind !== 'array') return undefined
  const condition = parseQuery(step.text)
  const holds = (item: Node) => matches(condition.path === '' ? item : evaluate(item, condition.path), condition)
  if (!step.all) return follow(node.items.find(holds), step.rest)
  const found = node.items.filter(holds)
  if (step.rest === undefined) return arrayNode(found)
  return step.each ? eachOf(found, step.rest) : evaluate(arrayNode(found), step.rest)
}

function modify(node: Node, name: string): Node | undefined {
  switch (name) {
    case '@this':
      return node
    case '@reverse':
      if (node.kind === 'array') return arrayNode([...node.items].reverse())
      return node.kind === 'object' ? objectNode([...node.entries].reverse()) : node
    case '@keys':
      return arrayNode(node.kind === 'object' ? node.entries.map(([key]) => textNode(key)) : [])
    case '@values':
      if (node.kind === 'array') return node
      return arrayNode(node.kind === 'object' ? node.entries.map(([, value]) => value) : [])
    case '@tostr':
      return textNode(node.raw)
    case '@fromstr':
      return node.kind === 'string' ? parseNode(node.value) : undefined
    case '@flatten':
      return node.kind === 'array'
        ? arrayNode(node.items.flatMap((item) => (item.kind === 'array' ? item.items : [item])))
        : node
    case '@join':
      return node.kind === 'array' ? join(node.items) : node
    case '@ugly':
      return compact(node)
    default:
      throw new UnsupportedPath(`the gjson modifier ${JSON.stringify(name)} is not supported`)
  }
}

function join(items: readonly Node[]): Node {
  const merged = new Map<string, Node>()
  for (const item of items) {
    if (item.kind === 'object') for (const [key, value] of item.entries) merged.set(key, value)
  }
  return objectNode([...merged])
}

function compact(node: Node): Node {
  if (node.kind === 'array') return arrayNode(node.items.map(compact))
  if (node.kind === 'object') return objectNode(node.entries.map(([key, value]) => [key, compact(value)] as const))
  return node
}
