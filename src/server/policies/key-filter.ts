/**
 * list_scan_response_keys_filter_path: a text with `{{ … }}`, each a pipeline over `.path` (of the list) and `.key` (one of
 * its keys). The functions are those of OpenBao's templates that make sense here; any other is refused when the policy is
 * written, never ignored.
 */

export interface KeyFilter {
  readonly text: string
  /** The path that the caller must be able to read (a folder: list) to be shown the key. */
  pathOf(path: string, key: string): string
}

/** What is wrong with a filter's text. */
export class KeyFilterError extends Error {
  override name = 'KeyFilterError'
}

interface Data {
  readonly path: string
  readonly key: string
}
type Part = (data: Data) => string
type Apply = (args: readonly string[], input: string) => string

const functions: ReadonlyMap<string, { readonly takes: number; readonly apply: Apply }> = new Map([
  ['replace', { takes: 2, apply: ([find = '', by = ''], input) => input.replaceAll(find, () => by) }],
  ['lowercase', { takes: 0, apply: (_, input) => input.toLowerCase() }],
  ['uppercase', { takes: 0, apply: (_, input) => input.toUpperCase() }],
  ['truncate', { takes: 1, apply: ([length = ''], input) => [...input].slice(0, Number(length)).join('') }],
])

export function parseKeyFilter(text: string): KeyFilter {
  const parts: Part[] = []
  let at = 0
  while (at < text.length) {
    const open = text.indexOf('{{', at)
    if (open < 0) break
    const close = text.indexOf('}}', open)
    if (close < 0) throw new KeyFilterError('unclosed action')
    const before = text.slice(at, open)
    if (before !== '') parts.push(() => before)
    parts.push(readPipeline(text.slice(open + 2, close)))
    at = close + 2
  }
  const rest = text.slice(at)
  if (rest !== '') parts.push(() => rest)
  const pathOf = (path: string, key: string) => parts.map((part) => part({ path, key })).join('')
  if (pathOf('p/', 'one') === pathOf('p/', 'two')) {
    throw new KeyFilterError('resulted in same path for two different keys')
  }
  return { text, pathOf }
}

const word = /\s*(?:(\|)|(\.\w+)|"((?:[^"\\]|\\.)*)"|(\d+)|(\w+))/y

type Word = { readonly kind: 'pipe' | 'field' | 'text' | 'name'; readonly text: string }

function readWords(text: string): Word[] {
  const words: Word[] = []
  word.lastIndex = 0
  for (let at = 0; text.slice(at).trim() !== ''; at = word.lastIndex) {
    word.lastIndex = at
    const match = word.exec(text)
    if (!match) throw new KeyFilterError(`unexpected ${JSON.stringify(text.slice(at).trim())}`)
    const [, pipe, field, quoted, digits, name = ''] = match
    if (pipe !== undefined) words.push({ kind: 'pipe', text: pipe })
    else if (field !== undefined) words.push({ kind: 'field', text: field })
    else if (quoted !== undefined) words.push({ kind: 'text', text: quoted.replace(/\\(.)/g, '$1') })
    else if (digits !== undefined) words.push({ kind: 'text', text: digits })
    else words.push({ kind: 'name', text: name })
  }
  return words
}

/** `.path | replace "a" "b"` or `replace "a" "b" .path`. */
function readPipeline(text: string): Part {
  const stages: Word[][] = [[]]
  for (const found of readWords(text)) {
    if (found.kind === 'pipe') stages.push([])
    else stages.at(-1)?.push(found)
  }
  const [first = [], ...rest] = stages
  return rest.reduce((input, stage) => readCall(stage, input), readFirst(first))
}

function readFirst(stage: readonly Word[]): Part {
  const [head] = stage
  if (!head) throw new KeyFilterError('missing value for command')
  if (head.kind === 'name') {
    const last = stage.at(-1)
    if (!last || stage.length < 2) throw new KeyFilterError(`${head.text} needs a value`)
    return readCall(stage.slice(0, -1), readValue(last))
  }
  if (stage.length > 1) throw new KeyFilterError(`unexpected ${JSON.stringify(stage[1]?.text)}`)
  return readValue(head)
}

function readValue({ kind, text }: Word): Part {
  if (kind === 'text') return () => text
  if (text === '.path') return ({ path }) => path
  if (text === '.key') return ({ key }) => key
  throw new KeyFilterError(`${JSON.stringify(text)} is neither .path nor .key`)
}

function readCall(stage: readonly Word[], input: Part): Part {
  const [head, ...args] = stage
  const known = head?.kind === 'name' ? functions.get(head.text) : undefined
  if (!head || !known) throw new KeyFilterError(`function ${JSON.stringify(head?.text ?? '')} not defined`)
  if (args.length !== known.takes) {
    throw new KeyFilterError(`wrong number of args for ${head.text}: want ${known.takes + 1} got ${args.length + 1}`)
  }
  const values = args.map(readValue)
  return (data) =>
    known.apply(
      values.map((value) => value(data)),
      input(data),
    )
}
