/** Load from a process of its own: wrk when it is installed, else autocannon. */
import { execFile, execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

export interface Load {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** Absent: GET. */
  readonly body?: string
  /** With a body: how many different paths `url/<n>` to write to. */
  readonly keys?: number
  readonly connections: number
  readonly seconds: number
}
export interface Outcome {
  readonly perSecond: number
  readonly p99Ms: number
  readonly errors: number
}

export function hasWrk(): boolean {
  try {
    execFileSync('wrk', ['-v'], { stdio: 'ignore' })
    return true
  } catch (error) {
    // wrk -v prints its version and exits with 1.
    return error instanceof Error && 'status' in error && error.status === 1
  }
}

const run = promisify(execFile)

export async function load(options: Load, scratch: string): Promise<Outcome> {
  return hasWrk() ? byWrk(options, scratch) : byAutocannon(options)
}

async function byWrk(options: Load, scratch: string): Promise<Outcome> {
  const script = join(scratch, 'load.lua')
  const path = new URL(options.url).pathname
  const lua = [
    ...Object.entries(options.headers).map(
      ([name, value]) => `wrk.headers[${JSON.stringify(name)}] = ${JSON.stringify(value)}`,
    ),
    ...(options.body === undefined
      ? []
      : [
          'wrk.method = "POST"',
          `wrk.body = ${JSON.stringify(options.body)}`,
          'local n = 0',
          `function request() n = (n + 1) % ${options.keys ?? 1}; return wrk.format(nil, ${JSON.stringify(path)} .. "/" .. n) end`,
        ]),
    'function done(summary, latency) local e = summary.errors; io.write(string.format("RESULT %f %f %d\\n", summary.requests / (summary.duration / 1e6), latency:percentile(99) / 1000, e.connect + e.read + e.write + e.status + e.timeout)) end',
  ]
  writeFileSync(script, `${lua.join('\n')}\n`)
  const { stdout } = await run('wrk', [
    '-t1',
    `-c${options.connections}`,
    `-d${options.seconds}s`,
    '-s',
    script,
    options.url,
  ])
  const match = /RESULT ([\d.]+) ([\d.]+) (\d+)/.exec(stdout)
  if (!match) throw new Error(`wrk said:\n${stdout}`)
  return { perSecond: Number(match[1]), p99Ms: Number(match[2]), errors: Number(match[3]) }
}

async function byAutocannon(options: Load): Promise<Outcome> {
  const { default: autocannon } = await import('autocannon')
  const paths =
    options.body === undefined
      ? [new URL(options.url).pathname]
      : Array.from({ length: options.keys ?? 1 }, (_, n) => `${new URL(options.url).pathname}/${n}`)
  let next = 0
  const result = await autocannon({
    url: options.url,
    connections: options.connections,
    duration: options.seconds,
    headers: { ...options.headers },
    requests: [
      {
        method: options.body === undefined ? 'GET' : 'POST',
        body: options.body,
        setupRequest: (request) => {
          next = (next + 1) % paths.length
          return { ...request, path: paths[next] }
        },
      },
    ],
  })
  return { perSecond: result.requests.average, p99Ms: result.latency.p99, errors: result.errors + result.non2xx }
}
