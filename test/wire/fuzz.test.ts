/**
 * Mutated requests on the handler: whatever comes, it is answered, never with a fault of the server, and nothing secret
 * gets into a log line. COFFER_FUZZ sets how many (100000 in `test:all`), COFFER_SEED repeats a run.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Logger } from '../../src/lib/log.ts'
import type { Core } from '../../src/programs/server/core.ts'
import { inject } from '../../src/server/http/handler.ts'
import { type Exchange, readRecording, startServer } from './replay.ts'

const count = Number(process.env['COFFER_FUZZ'] ?? 4000)
const seed = Number(process.env['COFFER_SEED'] ?? Date.now() % 1_000_000)
const canaries = ['canary-body-5519', 'canary-query-5519', 'hvs.canary5519canary5519canary', 'canary-header-5519']

/** mulberry32: small, and the same on every machine. */
function randomOf(start: number) {
  let state = start
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
  const below = (n: number) => Math.floor(next() * n)
  const one = <T>(list: readonly T[]): T => list[below(list.length)] as T
  return { next, below, one }
}
const random = randomOf(seed)
const { below, one } = random

const methods = [
  'GET',
  'POST',
  'PUT',
  'DELETE',
  'LIST',
  'SCAN',
  'PATCH',
  'HEAD',
  'HELP',
  'OPTIONS',
  'TRACE',
  'get',
  'FOO',
]
const nasty = [
  '',
  '/',
  '//',
  '..',
  '.',
  '%2e%2e',
  '%2F',
  '%00',
  '%ff',
  '%c3%28',
  'a'.repeat(2000),
  '+',
  '*',
  '{{identity.entity.id}}',
  '%0d%0aX: y',
  '\u{1F600}',
  'sys',
  'auth/token',
  'root',
  '-1',
  '9999999999999999999',
  'null',
  'true',
  ' ',
  '%20',
  '?',
  ';',
  '__proto__',
  'constructor',
]
const values: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1e308,
  '',
  'x',
  '-1',
  '1h',
  '10d',
  'a,b',
  [],
  {},
  [[]],
  { a: { b: null } },
  'x'.repeat(70_000),
  '\u0000',
  '\ud800',
  '99999999999999999999',
  ['a', 1, null],
  { __proto__: 1 },
  canaries[0],
  'path "x" {',
  '{{',
  '::1/200',
  '2026-01-01T00:00:00Z',
]
const bodies = [
  '',
  '{',
  '[]',
  'null',
  '""',
  '1',
  '{"a":1,"a":2}',
  '{"a":1e999}',
  `${'['.repeat(5000)}`,
  `{"a":${'{"a":'.repeat(100)}1${'}'.repeat(101)}`,
  '{"\\ud800":1}',
  '\u0000',
  '{"a":"\u0001"}',
  'a=b&c=d',
  '{"data":{"x":1},"options":{"cas":"no"}}',
  '{"versions":[1,"2",{}]}',
  '{"key":"zz"}',
]

let core: Core
const lines: string[] = []
const log: Logger = {
  debug: (event, fields) => void lines.push(`${event} ${JSON.stringify(fields)}`),
  info: (event, fields) => void lines.push(`${event} ${JSON.stringify(fields)}`),
  warn: (event, fields) => void lines.push(`${event} ${JSON.stringify(fields)}`),
  error: (event, fields) => void lines.push(`${event} ${JSON.stringify(fields)}`),
  with: () => log,
}
beforeAll(async () => {
  core = await startServer({ log })
})
afterAll(() => core.close(0))

const corpus: readonly Exchange['request'][] = readdirSync(join(import.meta.dirname, '../recorded/wire'))
  .filter((name) => name.endsWith('.json'))
  .flatMap((name) => readRecording(name).map(({ request }) => request))
  // What ends or moves the server's keys, or its only token, is for other tests.
  .filter(({ path }) => !endsServer(path))

/** Decoded, as the handler sees it. */
function endsServer(path: string): boolean {
  let text = path
  try {
    text = decodeURIComponent(path)
  } catch {}
  return /sys\/(seal|step-down|init|unseal|rekey|generate-root|rotate|audit|raw)|revoke-self|(^|\/)token\/(revoke|create)/.test(
    text,
  )
}

function mutatePath(path: string): string {
  const parts = path.split('/')
  const at = 1 + below(Math.max(1, parts.length - 1))
  const kind = below(6)
  if (kind === 0) parts.splice(at, 1)
  else if (kind === 1) parts.splice(at, 0, one(nasty))
  else if (kind === 2) parts[at] = one(nasty)
  else if (kind === 3) parts.push(one(nasty))
  else if (kind === 4) parts[at] = `${parts[at] ?? ''}${one(nasty)}`
  const query =
    below(3) === 0
      ? `${path.includes('?') ? '&' : '?'}${one(['list', 'scan', 'help', 'version', 'after', 'limit', 'depth', 'x'])}=${one([...nasty, canaries[1] ?? ''])}`
      : ''
  return parts.join('/') + query
}

function mutateBody(body: unknown): string | Uint8Array | undefined {
  const kind = below(5)
  if (kind === 0) return one(bodies)
  if (kind === 1) return undefined
  if (kind === 2) return Buffer.from(Array.from({ length: below(200) }, () => below(256)))
  const object = { ...(typeof body === 'object' && body !== null ? body : {}) } as Record<string, unknown>
  const names = [
    ...Object.keys(object),
    'ttl',
    'policies',
    'data',
    'options',
    'type',
    'name',
    'path',
    'token',
    'id',
    'config',
    'metadata',
  ]
  for (let i = below(4); i >= 0; i -= 1) object[one(names)] = one(values)
  return JSON.stringify(object)
}

function mutateHeaders(token: string): Record<string, string> {
  const headers: Record<string, string> =
    below(10) === 0
      ? { 'X-Vault-Token': one([canaries[2] ?? '', '', 'x'.repeat(9000), 'hvb.AAAA']) }
      : { 'X-Vault-Token': token }
  if (below(6) === 0)
    headers[
      one([
        'X-Vault-Namespace',
        'X-Vault-Wrap-TTL',
        'Content-Type',
        'Authorization',
        'X-Forwarded-For',
        'X-Vault-Policy-Override',
        'Origin',
      ])
    ] = one([...nasty, '60s', '1', 'application/merge-patch+json', canaries[3] ?? ''])
  return headers
}

/** A rate limit on everything would leave nothing to test: `endpoints.test.ts` sends quotas their bad input. */
const limitsServer = (method: string, path: string) => method !== 'GET' && path.includes('quotas')

it(`answers ${count} mutated requests without a fault of its own (COFFER_SEED=${seed})`, async () => {
  let limited = 0
  for (let i = 0; i < count; i += 1) {
    const from = one(corpus)
    const path = mutatePath(from.path)
    const method = below(3) === 0 ? one(methods) : from.method
    if (endsServer(path) || limitsServer(method, path)) continue
    const request = {
      method,
      path,
      headers: mutateHeaders('root'),
      body: mutateBody(from.body) ?? '',
    }
    const what = `request ${i}: ${request.method} ${JSON.stringify(request.path.slice(0, 200))} ${JSON.stringify(request.headers).slice(0, 200)} ${String(request.body).slice(0, 300)}`
    const answer = await inject(core.handler, request).catch((error: unknown) => {
      throw new Error(`${what}\nthrew ${error instanceof Error ? error.stack : String(error)}`)
    })
    if (answer.status === 429) limited += 1
    if (answer.status >= 500)
      throw new Error(`${what}\n${answer.status} ${answer.body.slice(0, 300)}\n${lines.slice(-2).join('\n')}`)
  }
  // Requests refused before they reach anything test nothing.
  expect(limited).toBeLessThan(count / 100)
  const leaked = lines.filter((line) => canaries.some((canary) => line.includes(canary)))
  expect(leaked).toEqual([])
  expect(
    (await inject(core.handler, { method: 'GET', path: '/v1/sys/mounts', headers: { 'X-Vault-Token': 'root' } }))
      .status,
  ).toBe(200)
}, 600_000)
