/** One request after another to two API servers, and their answers with everything taken out that may differ. */
import { isDeepStrictEqual } from 'node:util'
import type { Answer, Cluster, Reply, SendOptions } from '../kube-contract/cluster.ts'

export interface Step {
  /** What a difference is called by; the step's number when there is none. */
  readonly title?: string
  readonly method: string
  readonly path: string
  readonly body?: unknown
  readonly options?: SendOptions
}

/** A step may depend on what the same server answered before: `seen[0]` is its first answer. */
export type StepOf = Step | ((seen: readonly Reply[]) => Step)

export interface Shown {
  readonly title: string
  readonly status: number
  readonly warnings: readonly string[]
  readonly retryAfter: string | undefined
  readonly body: unknown
}

/** Runs the steps in order and returns what the client got, comparable with another server's. `hear` is told what was sent. */
export async function play(
  cluster: Cluster,
  steps: readonly StepOf[],
  hear: (step: Step) => void = () => {},
): Promise<Shown[]> {
  const seen: Reply[] = []
  const titles: string[] = []
  for (const step of steps) {
    const sent = typeof step === 'function' ? step(seen) : step
    const { title, method, path, body, options } = sent
    hear(sent)
    titles.push(title ?? `${seen.length}`)
    seen.push(await cluster.send(method, path, body, options))
  }
  return seen.map(({ status, headers, body }, index) => ({
    title: titles[index] ?? '',
    status,
    warnings: [headers['warning'] ?? []].flat().flatMap(split),
    retryAfter: headers['retry-after'] === undefined ? undefined : String(headers['retry-after']),
    body: new Renaming().plain(framesOf(body)),
  }))
}

/** A watch's answer is a document a line. */
function framesOf(body: unknown): unknown {
  if (typeof body !== 'string' || !body.startsWith('{"type":')) return body
  return body
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
}

/** Go's server folds several Warning headers into lines of their own, Node joins them. */
const split = (text: string) => text.split(/, (?=299 )/)

const uidPattern = /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g
const timePattern = /\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g

/** The same uid is the same word everywhere; versions, times and tokens only say that they are there. */
class Renaming {
  readonly #uids = new Map<string, string>()

  plain(value: unknown, member = ''): unknown {
    if (typeof value === 'string') return this.#text(value, member)
    if (Array.isArray(value)) return this.#list(value, member)
    if (typeof value !== 'object' || value === null) return value
    // Who owns which field is compared where ownership is tested.
    const entries = Object.entries(value as Record<string, Answer>).filter(([key]) => key !== 'managedFields')
    return Object.fromEntries(entries.map(([key, item]) => [key, this.plain(item, key)]))
  }

  /** The API server looks at some things of an update several times and says so several times; once is enough. */
  #list(items: readonly unknown[], member: string): unknown[] {
    const plain = items.map((item) => this.plain(item))
    if (member === 'cells') return plain.map((cell) => (/^\d+[smh]$/.test(String(cell)) ? '<age>' : cell))
    if (member !== 'causes') return plain
    return plain.filter((cause, index) => plain.findIndex((other) => isDeepStrictEqual(other, cause)) === index)
  }

  #text(text: string, member: string): string {
    if (text === '') return text
    if (member === 'resourceVersion') return '<version>'
    if (member === 'continue') return '<token>'
    if (/^10\.96\.\d+\.\d+$/.test(text)) return '<address>'
    if (text.startsWith('-----BEGIN CERTIFICATE-----')) return '<certificate>'
    return text
      .replace(/\bin record \(\d+\)/, 'in record (<version>)')
      .replace(uidPattern, (uid) => {
        const known = this.#uids.get(uid) ?? `<uid ${this.#uids.size + 1}>`
        this.#uids.set(uid, known)
        return known
      })
      .replace(timePattern, '<time>')
      .replace(/\bkube-api-access-[a-z0-9]{5}\b/g, 'kube-api-access-<suffix>')
      .replace(/\b([Gg]en[-_][a-z]*)[a-z0-9]{5}\b/g, '$1<suffix>')
  }
}

/** What differs, a line each: the step, where in the answer, both values. Of refusals in other words only the words. */
export function differences(embedded: readonly Shown[], real: readonly Shown[]): string[] {
  return real.flatMap((answer, step) => {
    const ours = embedded[step]
    // What two answers of different outcome hold besides is no news.
    if (ours?.status !== answer.status) return [`${answer.title}: embedded ${outcome(ours)}, real ${outcome(answer)}`]
    const lines = compare(ours, answer, answer.title)
    const words = lines.filter((line) => /^[^:]*\.body\.message: /.test(line))
    return answer.status >= 400 && words.length > 0 ? words : lines
  })
}

function outcome(shown: Shown | undefined): string {
  const { body } = shown ?? {}
  return `${shown?.status} ${isObject(body) ? String(body['message'] ?? body['kind']) : print(body)}`
}

function compare(ours: unknown, theirs: unknown, path: string): string[] {
  if (isObject(ours) && isObject(theirs)) {
    const members = new Set([...Object.keys(ours), ...Object.keys(theirs)])
    return [...members].flatMap((member) => compare(ours[member], theirs[member], `${path}.${member}`))
  }
  if (Array.isArray(ours) && Array.isArray(theirs))
    return Array.from({ length: Math.max(ours.length, theirs.length) }, (_, i) => i).flatMap((index) =>
      compare(ours[index], theirs[index], `${path}[${index}]`),
    )
  if (Object.is(ours, theirs)) return []
  const [short, shortTheirs] =
    typeof ours === 'string' && typeof theirs === 'string' ? telling(ours, theirs) : [ours, theirs]
  return [`${path}: embedded ${print(short)}, real ${print(shortTheirs)}`]
}

/** Of two texts the part that differs, with a little of what stands before. */
function telling(ours: string, theirs: string): [string, string] {
  let start = 0
  while (start < ours.length && ours[start] === theirs[start]) start += 1
  let end = 0
  const most = Math.min(ours.length, theirs.length) - start
  while (end < most && ours.at(-1 - end) === theirs.at(-1 - end)) end += 1
  const from = Math.max(0, start - 40)
  const cut = (text: string) => `${from > 0 ? '…' : ''}${text.slice(from, Math.max(start, text.length - end + 10))}`
  return [cut(ours), cut(theirs)]
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const print = (value: unknown) => (value === undefined ? 'nothing' : JSON.stringify(value))
