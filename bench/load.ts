/** Load from a process of its own: wrk when it is installed, else autocannon. */
import { execFile, execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** One kind of request. */
export interface Shot {
  /** Absent: GET. */
  readonly method?: 'GET' | 'POST'
  /** With its leading slash. */
  readonly path: string
  readonly body?: string
  /** Goes to so many paths, `path/<n>`: one after the other, or by chance. */
  readonly keys?: number
  readonly order?: 'in turn' | 'by chance'
  /** How many of these there are in one round of all shots; 1 if absent. */
  readonly share?: number
}
export interface Load {
  /** `http://host:port`; each gets an equal part of the connections. */
  readonly origins: readonly string[]
  readonly headers: Readonly<Record<string, string>>
  readonly shots: readonly Shot[]
  readonly connections: number
  readonly seconds: number
}
export interface Outcome {
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Answers of another kind than 2xx and 3xx, and connections that broke. */
  readonly errors: number
}

let found: boolean | undefined

export function hasWrk(): boolean {
  found ??= findWrk()
  return found
}

function findWrk(): boolean {
  try {
    execFileSync('wrk', ['-v'], { stdio: 'ignore' })
    return true
  } catch (error) {
    // wrk -v prints its version and exits with 1.
    return error instanceof Error && 'status' in error && error.status === 1
  }
}

const run = promisify(execFile)

/** The rates of several origins are added; of their latencies the slowest counts. */
export async function load(options: Load, scratch: string): Promise<Outcome> {
  const connections = Math.max(1, Math.round(options.connections / options.origins.length))
  const one = hasWrk() ? byWrk : byAutocannon
  const outcomes = await Promise.all(
    options.origins.map((origin, n) => one({ ...options, connections }, origin, join(scratch, `load-${n}.lua`))),
  )
  return {
    perSecond: outcomes.reduce((sum, o) => sum + o.perSecond, 0),
    p50Ms: Math.max(...outcomes.map((o) => o.p50Ms)),
    p99Ms: Math.max(...outcomes.map((o) => o.p99Ms)),
    errors: outcomes.reduce((sum, o) => sum + o.errors, 0),
  }
}

/** A round of all shots, spread so that the rare ones do not come all at once. */
export function round(shots: readonly Shot[]): readonly Shot[] {
  const share = (shot: Shot) => shot.share ?? 1
  const total = shots.reduce((sum, shot) => sum + share(shot), 0)
  const due = shots.map(() => 0)
  return Array.from({ length: total }, () => {
    let next = 0
    for (const [i, shot] of shots.entries()) {
      due[i] = (due[i] ?? 0) + share(shot)
      if ((due[i] ?? 0) > (due[next] ?? 0)) next = i
    }
    due[next] = (due[next] ?? 0) - total
    return shots[next] ?? { path: '/' }
  })
}

/** JSON's escapes of control characters are not Lua's: a long bracket takes the text as it is. */
function luaString(text: string): string {
  if (/[\r\n\0]/.test(text) || text.includes(']====]')) throw new Error('a request that Lua would change')
  return `[====[${text}]====]`
}

function luaShot(shot: Shot): string {
  const number = shot.order === 'by chance' ? `math.random(0, ${(shot.keys ?? 1) - 1})` : `turn(${shot.keys ?? 1})`
  const path = shot.keys === undefined ? luaString(shot.path) : `${luaString(`${shot.path}/`)} .. ${number}`
  const body = shot.body === undefined ? 'nil' : luaString(shot.body)
  return `function() return wrk.format("${shot.method ?? 'GET'}", ${path}, nil, ${body}) end`
}

function luaScript({ headers, shots }: Load): string {
  const ring = round(shots)
  const [only] = shots
  return [
    ...Object.entries(headers).map(([name, value]) => `wrk.headers[ ${luaString(name)} ] = ${luaString(value)}`),
    // Without a function wrk makes the request once: the cheapest way.
    ...(only && shots.length === 1 && only.keys === undefined
      ? [
          `wrk.method = "${only.method ?? 'GET'}"`,
          `wrk.path = ${luaString(only.path)}`,
          ...(only.body === undefined ? [] : [`wrk.body = ${luaString(only.body)}`]),
        ]
      : [
          'local n = 0',
          'local function turn(keys) return n % keys end',
          `local shots = { ${shots.map(luaShot).join(', ')} }`,
          `local ring = { ${ring.map((shot) => shots.indexOf(shot) + 1).join(', ')} }`,
          'math.randomseed(os.time())',
          'function request() n = n + 1; return shots[ring[n % #ring + 1]]() end',
        ]),
    'function done(summary, latency, requests)',
    '  local e = summary.errors',
    '  io.write(string.format("RESULT %f %f %f %d\\n", summary.requests / (summary.duration / 1e6), latency:percentile(50) / 1000, latency:percentile(99) / 1000, e.connect + e.read + e.write + e.status + e.timeout))',
    'end',
    '',
  ].join('\n')
}

async function byWrk(options: Load, origin: string, script: string): Promise<Outcome> {
  writeFileSync(script, luaScript(options))
  const { stdout, stderr } = await run('wrk', [
    '-t1',
    `-c${options.connections}`,
    `-d${options.seconds}s`,
    // A slow answer is a latency, no error.
    '--timeout',
    '30s',
    '-s',
    script,
    `${origin}/`,
  ])
  const match = /RESULT ([\d.]+) ([\d.]+) ([\d.]+) (\d+)/.exec(stdout)
  // It only says what is wrong with the script, and goes on without it.
  if (!match || stderr !== '') throw new Error(`wrk said:\n${stderr}${stdout}`)
  const [perSecond = 0, p50Ms = 0, p99Ms = 0, errors = 0] = match.slice(1).map(Number)
  return { perSecond, p50Ms, p99Ms, errors }
}

async function byAutocannon(options: Load, origin: string): Promise<Outcome> {
  const { default: autocannon } = await import('autocannon')
  const ring = round(options.shots)
  let n = 0
  const result = await autocannon({
    url: origin,
    connections: options.connections,
    duration: options.seconds,
    headers: { ...options.headers },
    requests: ring.map((shot) => ({
      method: shot.method ?? 'GET',
      path: shot.path,
      ...(shot.body === undefined ? {} : { body: shot.body }),
      setupRequest: (request) => {
        if (shot.keys === undefined) return request
        n += 1
        const number = shot.order === 'by chance' ? Math.floor(Math.random() * shot.keys) : n % shot.keys
        return { ...request, path: `${shot.path}/${number}` }
      },
    })),
  })
  const { requests, latency, errors, non2xx } = result
  return { perSecond: requests.average, p50Ms: latency.p50, p99Ms: latency.p99, errors: errors + non2xx }
}
