/**
 * Transcripts: plain text, one exchange after the other.
 *
 *     > POST secret/data/a            method and path; `token=<name>` for another token than root, `token=` for none
 *     > X-Header: value               further lines with ">": headers, or the body; \x{ff} in it is a byte
 *     < 200 {"data":{"version":1}}    status and body: every member named must be there, `*` is anything; `=` before the body: exactly
 *     ! t = auth.client_token         keeps a value of the answer, used as ${t}
 *     @ uninitialised audit           what kind of server answers: see transcript-server.ts
 *     # a comment
 *
 * A body that is no JSON is compared as text: `< 200 "# HELP*"`.
 */
export interface Step {
  readonly line: number
  readonly method: string
  readonly path: string
  readonly token: string | undefined
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
  readonly status: number
  readonly expected: string
  readonly exact: boolean
  readonly keep: readonly (readonly [name: string, path: string])[]
}

export function parseTranscript(text: string): Step[] {
  const steps: Step[] = []
  let step: { -readonly [K in keyof Step]: Step[K] } | undefined
  for (const [i, line] of text.split('\n').entries()) {
    if (line.trim() === '' || line.startsWith('#') || line.startsWith('@')) continue
    const mark = line[0]
    const rest = line.slice(1).trim()
    if (mark === '>' && (!step || step.status > 0)) {
      const [method = '', path = '', token] = rest.split(/\s+/)
      step = {
        line: i + 1,
        method,
        path,
        token: token?.startsWith('token=') ? token.slice(6) : undefined,
        headers: {},
        body: undefined,
        status: 0,
        expected: '',
        exact: false,
        keep: [],
      }
      steps.push(step)
    } else if (mark === '>' && step) {
      const header = /^([A-Za-z-]+): (.*)$/.exec(rest)
      if (header) step.headers = { ...step.headers, [header[1] ?? '']: header[2] ?? '' }
      else step.body = (step.body ?? '') + rest
    } else if (mark === '<' && step) {
      const [status = '', ...body] = rest.split(' ')
      step.status = Number(status)
      step.exact = body[0] === '='
      step.expected = (step.exact ? body.slice(1) : body).join(' ')
    } else if (mark === '!' && step) {
      const [name = '', path = ''] = rest.split(/\s*=\s*/)
      step.keep = [...step.keep, [name, path]]
    } else throw new Error(`line ${i + 1} is not part of a transcript: ${line}`)
  }
  return steps
}

export const settingsOf = (text: string): string[] =>
  text.split('\n').flatMap((line) => (line.startsWith('@') ? line.slice(1).trim().split(/\s+/) : []))

/** What is sent of a body: bytes that no text can hold are written as `\x{ff}`. */
export function bytesOf(body: string): Uint8Array {
  const parts = body.split(/\\x\{([0-9a-f]{2})\}/)
  return Buffer.concat(parts.map((part, i) => Buffer.from(part, i % 2 === 1 ? 'hex' : 'utf8')))
}

/** JSON as what it says, all else as text. */
export const contentOf = (answer: { readonly headers: Readonly<Record<string, string>>; readonly body: string }) =>
  /json/.test(answer.headers['Content-Type'] ?? '') ? JSON.parse(answer.body) : answer.body

/** Undefined when `actual` is what was expected, else where it is not. */
export function mismatch(expected: unknown, actual: unknown, exact: boolean, path = 'body'): string | undefined {
  if (expected === '*') return actual === undefined ? `${path} is missing` : undefined
  if (Array.isArray(expected) && Array.isArray(actual)) {
    if (expected.length !== actual.length) return `${path} has ${actual.length} items`
    return expected.map((item, i) => mismatch(item, actual[i], exact, `${path}.${i}`)).find((found) => found)
  }
  if (isObject(expected) && isObject(actual)) {
    const extra = exact ? Object.keys(actual).find((key) => !(key in expected)) : undefined
    if (extra !== undefined) return `${path}.${extra} is there`
    return Object.keys(expected)
      .map((key) => mismatch(expected[key], actual[key], exact, `${path}.${key}`))
      .find((found) => found)
  }
  if (typeof expected === 'string' && typeof actual === 'string' && expected.includes('*')) {
    const pattern = expected.split('*').map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
    return new RegExp(`^${pattern.join('[^]*')}$`).test(actual) ? undefined : `${path} is ${JSON.stringify(actual)}`
  }
  return Object.is(expected, actual) ? undefined : `${path} is ${JSON.stringify(actual)}`
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
