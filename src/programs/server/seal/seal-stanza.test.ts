import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FakeClock } from '../../../lib/fake-clock.ts'
import { parseHcl } from '../../../lib/hcl/parse.ts'
import { silentLog } from '../../../lib/log.ts'
import { systemRandom } from '../../../lib/random.ts'
import { readInitialize } from './initialize-stanza.ts'
import { openSeals } from './open-seals.ts'
import { readSealStanzas } from './seal-stanza.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'coffer-seal-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const read = (text: string) => readSealStanzas(parseHcl(text))
const open = (text: string, env: Record<string, string> = {}) =>
  openSeals(read(text), {
    env,
    clock: new FakeClock(),
    random: systemRandom,
    log: silentLog,
    signal: new AbortController().signal,
  })
const key = Buffer.alloc(32, 5)

describe('seal stanzas', () => {
  it('are none, one, or one and the disabled one before', () => {
    expect(read('')).toEqual({})
    expect(read('seal "shamir" {}')).toEqual({})
    const both = read(`
      seal "static" { current_key_id = "a" current_key = "env://K" disabled = "true" }
      seal "transit" { key_name = "root" mount_path = "transit/" disable_renewal = "true" tls_skip_verify = true }`)
    expect(both.from).toEqual({ kind: 'static', current: { id: 'a', source: 'env://K' } })
    expect(both.current).toEqual({
      kind: 'transit',
      keyName: 'root',
      mountPath: 'transit/',
      renewal: false,
      skipVerify: true,
    })
  })

  it.each([
    ['seal "hsm" {}', 'seal "hsm" is not supported'],
    ['seal "static" {}', 'needs current_key_id and current_key'],
    ['seal "static" { current_key_id = "a" }', 'belong together'],
    ['seal "static" { current_key_id = "a" current_key = "x" previous_key = "y" }', 'belong together'],
    [
      'seal "static" { current_key_id = "a" current_key = "x" previous_key_id = "a" previous_key = "y" }',
      'another key has another id',
    ],
    ['seal "static" { current_key_id = "a" current_key = "x" colour = "red" }', 'colour'],
    [
      'seal "static" { current_key_id = "a" current_key = "x" }\nseal "transit" { key_name = "a" mount_path = "t" }',
      'there can be only one seal',
    ],
    [
      'seal "transit" { key_name = "a" mount_path = "t" }\nseal "transit" { key_name = "b" mount_path = "t" disabled = true }',
      'seal "transit" stands there twice: a migration leads to a seal of another kind',
    ],
  ])('%s is refused', (text, why) => expect(() => read(text)).toThrow(why))
})

describe('the static key', () => {
  const stanza = (source: string) => `seal "static" { current_key_id = "a" current_key = "${source}" }`

  it('is read from the environment, a file or the stanza; bare, in base64 or in hex', async () => {
    writeFileSync(join(folder, 'bare'), key)
    writeFileSync(join(folder, 'base64'), `${key.toString('base64')}\n`)
    const blob = (await open(stanza(key.toString('hex'))).current?.wrap(key))?.blob
    for (const source of [`file://${folder}/bare`, `file://${folder}/base64`, 'env://K', key.toString('base64')]) {
      const { current } = open(stanza(source), { K: key.toString('hex') })
      expect(Buffer.from((await current?.unwrap(blob ?? key, 'a')) ?? [])).toEqual(key)
    }
  })

  it.each([
    ['env://NONE', 'the environment has no NONE'],
    ['file:///nowhere/at/all', 'the file /nowhere/at/all cannot be read'],
    ['too-short-canary', 'must be 32 bytes'],
  ])('%s is refused by its setting, never by its value', (source, why) => {
    expect(() => open(stanza(source))).toThrow(why)
    expect(() => open(stanza(source))).not.toThrow('canary')
  })
})

describe('the transit seal', () => {
  const stanza = 'seal "transit" { key_name = "root" mount_path = "transit" disable_renewal = true }'

  it('takes from the environment what the stanza leaves out', () => {
    expect(() => open(stanza)).toThrow('needs an address')
    expect(() => open(stanza, { VAULT_ADDR: 'http://127.0.0.1:1' })).toThrow('needs a token')
    const { current } = open(stanza, { VAULT_ADDR: 'http://127.0.0.1:1', VAULT_TOKEN: 't' })
    expect([current?.type, current?.keyId()]).toEqual(['transit', 'transit/root'])
  })

  it('goes by the environment first for its key, as Vault does, and needs no stanza then', () => {
    const other = { VAULT_ADDR: 'http://127.0.0.1:1', VAULT_TOKEN: 't', BAO_TRANSIT_SEAL_KEY_NAME: 'other' }
    expect(open(stanza, other).current?.keyId()).toBe('transit/other')
    const all = { ...other, VAULT_TRANSIT_SEAL_MOUNT_PATH: 'there/', VAULT_TRANSIT_SEAL_DISABLE_RENEWAL: 'true' }
    expect(open('', { ...all, VAULT_SEAL_TYPE: 'transit' }).current?.keyId()).toBe('there/other')
    expect(() => open('seal "transit" { key_name = "a" mount_path = "" }', other)).toThrow(
      'needs key_name and mount_path, there or in',
    )
    expect(() => open(stanza, { ...all, VAULT_TRANSIT_SEAL_DISABLE_RENEWAL: 'maybe' })).toThrow(
      'VAULT_TRANSIT_SEAL_DISABLE_RENEWAL is "maybe"; true and false are accepted',
    )
  })
})

describe('initialize stanzas', () => {
  it('give their requests in order', () => {
    const text = `
      initialize "a" { request "x" { operation = "update" path = "sys/mounts/kv" data = { type = "kv" } } }
      initialize "b" {
        request "x" { operation = "read" path = { eval_source = "env" eval_type = "string" env_var = "P" } allow_failure = true }
      }`
    expect(readInitialize(parseHcl(text))).toEqual([
      {
        initialize: 'a',
        name: 'x',
        operation: 'update',
        path: 'sys/mounts/kv',
        data: { type: 'kv' },
        allowFailure: false,
      },
      {
        initialize: 'b',
        name: 'x',
        operation: 'read',
        path: { eval_source: 'env', eval_type: 'string', env_var: 'P' },
        allowFailure: true,
      },
    ])
  })

  it.each([
    ['initialize "1" { request "x" { operation = "read" path = "a" } }', 'must match'],
    ['initialize "a" {}\ninitialize "a" {}', 'two initialize blocks'],
    ['initialize "a" { request "x" { path = "a" } }', 'needs an operation and a path'],
    ['initialize "a" { request "x" { operation = "read" path = "a" colour = 1 } }', 'colour'],
    ['initialize "a" { demand "x" {} }', 'demand'],
  ])('%s is refused', (text, why) => expect(() => readInitialize(parseHcl(text))).toThrow(why))
})
