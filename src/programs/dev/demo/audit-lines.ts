/** Turns audit lines about some paths into "when, who, what, from where". Values are not in them to begin with. */
export function auditLines(text: string, paths: readonly string[]): string[] {
  return text
    .split('\n')
    .filter((line) => paths.some((path) => line.includes(path)))
    .map((line): unknown => {
      try {
        return JSON.parse(line)
      } catch {
        return undefined
      }
    })
    .flatMap((entry) => describe(entry, paths) ?? [])
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '')
const member = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined

function describe(entry: unknown, paths: readonly string[]): string | undefined {
  const request = member(entry, 'request')
  const path = text(member(request, 'path'))
  if (member(entry, 'type') !== 'response' || !paths.includes(path)) return undefined
  // A login has no caller yet: who it is stands in what it answered.
  const answered = member(member(entry, 'response'), 'auth')
  const auth = text(member(member(entry, 'auth'), 'display_name')) ? member(entry, 'auth') : answered
  const who = text(member(auth, 'display_name')) || 'unknown'
  const account = text(member(member(auth, 'metadata'), 'service_account_name'))
  const outcome = text(member(entry, 'error')) || 'ok'
  const operation = text(member(request, 'operation'))
  return `${text(member(entry, 'time'))}  ${operation.padEnd(6)}  ${path.padEnd(25)}  ${who}${account ? ` (service account ${account})` : ''}  ${outcome}`
}
