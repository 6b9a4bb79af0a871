/**
 * Every operation of every route is shown in a transcript or a recorded exchange: once answered, and once refused with
 * words. What can't be shown so is named here, with the reason.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { mountedEngines, operationsOf, operationsShown, recordings, transcripts } from './coverage.ts'
import { sessions } from './recorded-sessions.ts'
import { startServer } from './replay.ts'

const here = import.meta.dirname
const open = new Set<string>(JSON.parse(readFileSync(join(here, 'open.json'), 'utf8')))

const core = await startServer()
const engines = await mountedEngines(core)
await core.close(0)
const operations = operationsOf(engines)
const shown = [
  ...(await transcripts(here)),
  ...(await Promise.all(sessions.map((files) => recordings(files, open)))),
].flatMap((exchanges) => operationsShown(engines, exchanges))

const eachOf = (reason: string, names: readonly string[]) => names.map((name) => [name, reason] as const)

/** No answer but a refusal, or none that a transcript can hold. */
const neverAnswered: ReadonlyMap<string, string> = new Map([
  ...eachOf('there is no raft here: it always says so', [
    'read sys/storage/raft/configuration',
    'update sys/storage/raft/remove-peer',
    'update sys/storage/raft/promote',
    'update sys/storage/raft/demote',
    'update sys/storage/raft/join',
    'read sys/storage/raft/autopilot/state',
    'read sys/storage/raft/autopilot/configuration',
    'update sys/storage/raft/autopilot/configuration',
  ]),
  ...eachOf('plugins are built in: none is registered, removed or pinned', [
    'update sys/plugins/catalog/{type}/{name...}',
    'delete sys/plugins/catalog/{type}/{name...}',
    'read sys/plugins/pins/{type}/{name...}',
    'update sys/plugins/pins/{type}/{name...}',
  ]),
  ...eachOf(
    'only TOTP is offered: there is never a method of this kind',
    ['duo', 'okta', 'pingid'].flatMap((kind) => [
      `list identity/mfa/method/${kind}`,
      `update identity/mfa/method/${kind}`,
      `read identity/mfa/method/${kind}/{method_id}`,
      `update identity/mfa/method/${kind}/{method_id}`,
    ]),
  ),
  ...eachOf(
    'the paths of version 1, which version 2 answers with 404 and a warning',
    ['read', 'list', 'scan', 'update', 'patch', 'delete'].map((verb) => `${verb} kv-v2/{path...?}`),
  ),
  ...eachOf('the body is a file: src/server/faces/sys/snapshots/snapshots.test.ts', [
    'update sys/storage/raft/snapshot',
    'update sys/storage/raft/snapshot-force',
  ]),
  [
    'read sys/storage/raft/snapshot-auto/status/{name}',
    'a schedule has to be due: src/server/faces/sys/snapshots/schedule-status.test.ts',
  ],
  ['update sys/mfa/validate', 'a passcode has to be computed: src/server/identity/mfa/login-mfa.test.ts'],
  [
    'update identity/mfa/method/totp/self-enroll',
    'goes with a login that waits: src/server/identity/mfa/self-enrolment.test.ts',
  ],
  ['read sys/monitor', 'an answer without end: src/server/faces/sys/operations/operations.test.ts'],
  ['read sys/events/subscribe/{type...}', 'a WebSocket: src/server/faces/sys/events/events.test.ts'],
  ['update auth/kubernetes/login', 'a Kubernetes API is asked: src/server/auth/kubernetes/kubernetes.test.ts'],
])

/** Nothing that a caller sends is refused by the operation. */
const neverRefused: ReadonlyMap<string, string> = new Map([
  ...eachOf('for everyone, also while sealed, and takes nothing', [
    'read sys/init',
    'read sys/seal-status',
    'read sys/leader',
  ]),
  ...eachOf('for everyone, and takes nothing', [
    'read sys/wrapping/pubkey',
    'read sys/replication/dr/status',
    'read sys/replication/performance/status',
    'read identity/oidc/.well-known/openid-configuration',
    'read identity/oidc/.well-known/keys',
  ]),
  ['read sys/health', 'what it can refuse it refuses without words, as Vault'],
  ['head sys/health', 'an answer to HEAD has no words'],
  ...eachOf('for everyone, and without words where there is no such provider', [
    'read identity/oidc/provider/{name}/.well-known/openid-configuration',
    'read identity/oidc/provider/{name}/.well-known/keys',
  ]),
])

const pathsIn = (reasons: ReadonlyMap<string, string>) =>
  [...reasons.values()].flatMap((reason) => /\b(?:src|test)\/\S+\.test\.ts/.exec(reason) ?? [])

it('every operation is answered in a transcript', () => {
  const answered = new Set(shown.flatMap(([{ status }, name]) => (status < 300 && name ? [name] : [])))
  expect(operations.filter((name) => !answered.has(name) && !neverAnswered.has(name))).toEqual([])
  expect([...neverAnswered.keys()].filter((name) => answered.has(name) || !operations.includes(name))).toEqual([])
})

it('every operation is refused in a transcript, with words', () => {
  const refused = new Set(shown.flatMap(([{ status, says }, name]) => (status >= 400 && says && name ? [name] : [])))
  expect(operations.filter((name) => !refused.has(name) && !neverRefused.has(name))).toEqual([])
  expect([...neverRefused.keys()].filter((name) => refused.has(name) || !operations.includes(name))).toEqual([])
})

it('what a transcript cannot hold has a test that is there', () => {
  const named = [...pathsIn(neverAnswered), ...pathsIn(neverRefused)]
  expect(named.length).toBeGreaterThan(5)
  for (const path of named) expect(readFileSync(join(here, '..', '..', path), 'utf8')).toContain('expect(')
})

it('every exchange that succeeds is of an operation that is known here, or of the engine that tests bring along', () => {
  const own = /^(test|auth\/door)\//
  const unknown = shown.filter(
    ([{ status, incoming }, name]) => status < 300 && !name && incoming.verb !== 'help' && !own.test(incoming.path),
  )
  expect(unknown.map(([{ at, incoming }]) => `${at}: ${incoming.verb} ${incoming.path}`)).toEqual([])
})
