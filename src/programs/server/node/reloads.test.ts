import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FakeClock } from '../../../lib/fake-clock.ts'
import { parseHcl } from '../../../lib/hcl/parse.ts'
import { silentLog } from '../../../lib/log.ts'
import { systemRandom } from '../../../lib/random.ts'
import { inject } from '../../../server/http/handler.ts'
import { vaultTtl } from '../../../server/mounts/mount-json.ts'
import { openMemory } from '../../../server/storage/memory/memory.ts'
import { createAuditDevices } from '../audit-devices.ts'
import { readAuditStanzas } from '../audit-stanza.ts'
import { type Core, createCore } from '../core.ts'
import { devConfig } from './dev-mode.ts'
import { ServerLog } from './logger.ts'
import { Reloads } from './reloads.ts'

const dir = mkdtempSync(join(tmpdir(), 'coffer-reloads-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))
const fileAt = (name: string) => join(dir, name)
const file = (path: string, at: string) => `audit "file" "${path}" { options { file_path = "${at}" } }\n`
const textIn = (name: string) => (existsSync(fileAt(name)) ? readFileSync(fileAt(name), 'utf8') : '')

let count = 0
let name: (part: string) => string
let stanzas: string | Error
let reloads: Reloads
let core: Core
let keys: string[]
let root: string
const clock = new FakeClock()

beforeEach(async () => {
  count += 1
  const number = count
  name = (part) => `${part}-${number}.log`
  stanzas = file('one', fileAt(name('one')))
  const config = () => {
    if (stanzas instanceof Error) throw stanzas
    return { ...base, audit: readAuditStanzas(parseHcl(stanzas)) }
  }
  const base = devConfig({ host: '127.0.0.1', port: 0, storeToken: false })
  const logs = new ServerLog({ level: 'info', format: 'standard', name: 's', clock, write: () => {} })
  reloads = new Reloads({
    ...{ config: config(), readAgain: config, levelIsFixed: true, listeners: [] },
    ...{ logs, logFile: undefined, log: silentLog },
  })
  const outbound = { request: () => Promise.reject(new Error('not dialled')), close: () => {} }
  core = createCore({
    ...{ backend: openMemory({ clock, random: systemRandom }), types: { find: () => undefined }, outbound },
    ...{ ttl: vaultTtl, clock, random: systemRandom, log: silentLog, version: '2.6.0', cofferVersion: '0', node: 'n' },
    auditDevices: createAuditDevices({
      ...{ directories: [], destinations: [], declared: () => reloads.declaredAudit, stdout: new PassThrough() },
      ...{ clock, hostname: 'h', pid: 1, dial: () => outbound },
    }),
    declaredAudit: () => reloads.declaredAudit,
  })
  reloads.core = core
  const made = await call('PUT', 'sys/init', { secret_shares: 1, secret_threshold: 1 })
  keys = made.keys
  root = made.root_token
  await call('PUT', 'sys/unseal', { key: keys[0] })
})
afterEach(async () => {
  const closing = core.close(0)
  await clock.advance(10_000)
  await closing
})

async function call(method: string, path: string, body?: unknown) {
  const answer = await inject(core.handler, {
    method,
    path: `/v1/${path}`,
    headers: root ? { 'X-Vault-Token': root } : {},
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return answer.body === '' ? undefined : JSON.parse(answer.body)
}

const devices = async () => Object.keys((await call('GET', 'sys/audit')).data)
const asked = (id: string) => call('GET', `sys/mounts?probe=${id}`)
const lookUp = () => call('GET', 'auth/token/lookup-self')

describe('a reload of audit devices', () => {
  it('opens those that were added, closes those that went, and leaves the others alone', async () => {
    await lookUp()
    const salt = await call('PUT', 'sys/audit-hash/one', { input: 'x' })
    stanzas = file('one', fileAt(name('one'))) + file('two', fileAt(name('two')))
    await reloads.parts['audit']?.()
    expect(await devices()).toEqual(['one/', 'two/'])
    await lookUp()
    // The first device that took the line lets the answer go; that may have been the other.
    await expect.poll(() => textIn(name('two')), { timeout: 10_000 }).toContain('auth/token/lookup-self')
    expect(await call('PUT', 'sys/audit-hash/one', { input: 'x' })).toEqual(
      expect.objectContaining({ hash: salt.hash }),
    )
    stanzas = file('two', fileAt(name('two')))
    await reloads.parts['audit']?.()
    expect(await devices()).toEqual(['two/'])
    const before = textIn(name('one'))
    await asked('late')
    expect(textIn(name('one'))).toBe(before)
  })

  it('that cannot be written changes nothing, and files that were moved away are opened again all the same', async () => {
    renameSync(fileAt(name('one')), fileAt(name('moved')))
    stanzas = file('one', fileAt(name('one'))) + file('two', join(dir, 'no-such-folder', 'a.log'))
    await expect(reloads.parts['audit']?.()).rejects.toMatchObject({ status: 400 })
    expect(await devices()).toEqual(['one/'])
    await lookUp()
    expect(textIn(name('one'))).toContain('auth/token/lookup-self')
    renameSync(fileAt(name('one')), fileAt(name('moved-2')))
    stanzas = new Error('line 1: what is this')
    await expect(reloads.parts['audit']?.()).rejects.toThrow('what is this')
    await lookUp()
    expect(textIn(name('one'))).toContain('auth/token/lookup-self')
  })

  it('lets nobody write by API to where the configuration went only before', async () => {
    stanzas = file('two', fileAt(name('two')))
    await reloads.parts['audit']?.()
    const refused = await call('PUT', 'sys/audit/again', { type: 'file', options: { file_path: fileAt(name('one')) } })
    expect(refused.errors[0]).toContain('not below a directory')
  })

  it('of a sealed server counts when it is unsealed', async () => {
    await call('PUT', 'sys/seal')
    await clock.advance(10_000)
    stanzas = file('two', fileAt(name('two')))
    await reloads.parts['audit']?.()
    await call('PUT', 'sys/unseal', { key: keys[0] })
    expect(await devices()).toEqual(['two/'])
  })

  it('whose path is in the way of another changes nothing and names both', async () => {
    stanzas = file('one', fileAt(name('one'))) + file('one/two', fileAt(name('two')))
    await expect(reloads.parts['audit']?.()).rejects.toThrow(
      'the audit device one/ of the configuration is in the way of one/two/',
    )
    expect(await devices()).toEqual(['one/'])
  })
})
