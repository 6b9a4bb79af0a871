import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { envelopeOf } from '../../sdk/fake-transport.ts'
import { runFake } from '../fake-context.ts'
import { ExternalHelper } from './external-helper.ts'

const base = mkdtempSync(join(tmpdir(), 'coffer-helper-'))
afterAll(() => rmSync(base, { recursive: true, force: true }))
const home = join(base, 'home of ada')
const helper = join(home, 'my helper')
const kept = join(home, 'kept')
const env = { HOME: home, PATH: process.env['PATH'] ?? '' }

/** Keeps the token in a file, and notes what it was called with. */
const script = `#!/bin/sh
echo "$1 $VAULT_ADDR" >> '${kept}.calls'
case "$1" in
  get) cat '${kept}' 2>/dev/null || true; echo ;;
  store) cat > '${kept}' ;;
  erase) rm -f '${kept}' ;;
esac
`
beforeEach(() => {
  rmSync(home, { recursive: true, force: true })
  mkdirSync(home)
  writeHelper(script)
  writeFileSync(join(home, '.vault'), `token_helper = ${JSON.stringify(helper)}\n`)
})

function writeHelper(text: string) {
  writeFileSync(helper, text)
  chmodSync(helper, 0o755)
}

const login = (...flags: string[]) =>
  runFake(['login', ...flags, '-'], {
    env,
    stdin: 'hvs.canary',
    answer: () => envelopeOf({ data: { id: 'hvs.canary' } }),
  })
const tokenSent = async (more: Record<string, string> = {}) =>
  (await runFake(['read', 'a'], { env: { ...env, ...more } })).requests[0]?.headers['X-Vault-Token']

describe('token_helper in ~/.vault', () => {
  it('keeps the token of a login, on its stdin, and gives it to the next command', async () => {
    expect((await login()).status).toBe(0)
    expect(readFileSync(kept, 'utf8')).toBe('hvs.canary')
    expect(existsSync(join(home, '.vault-token'))).toBe(false)
    expect(await tokenSent()).toBe('hvs.canary')
    expect(readFileSync(`${kept}.calls`, 'utf8')).toBe('store http://127.0.0.1:8200\nget http://127.0.0.1:8200\n')
    expect((await runFake(['print', 'token'], { env })).out).toBe('hvs.canary\n')
  })

  it('is told the address of the flag, by which it may keep tokens apart', async () => {
    await runFake(['read', '-address=http://b:1', 'a'], { env })
    expect(readFileSync(`${kept}.calls`, 'utf8')).toBe('get http://b:1\n')
  })

  it('is not asked when the environment has a token, and may have none', async () => {
    expect(await tokenSent({ VAULT_TOKEN: 'hvs.env' })).toBe('hvs.env')
    expect(existsSync(`${kept}.calls`)).toBe(false)
    expect(await tokenSent()).toBeUndefined()
  })

  it('erases', () => {
    const external = new ExternalHelper({ path: helper, env, address: 'http://a' })
    external.store('t')
    external.erase()
    expect([existsSync(kept), external.get()]).toEqual([false, undefined])
  })

  it('that fails is 2, with its own words and never the token', async () => {
    writeHelper('#!/bin/sh\necho "the keyring is locked" >&2\nexit 3\n')
    for (const run of [await login(), await runFake(['read', 'a'], { env })]) {
      expect(run.status).toBe(2)
      expect(run.err).toMatch(
        /failed to (get|store) the token with the token helper .*"the keyring is locked": exit status 3/,
      )
      expect(run.err).not.toContain('hvs.canary')
    }
  })

  it('that does not keep a token leaves it to whoever logged in, unless nothing may be printed', async () => {
    writeHelper('#!/bin/sh\nexit 3\n')
    const shown = await login()
    expect(shown.status).toBe(2)
    expect(shown.err).toContain('Authentication was successful, but the token was not persisted.')
    expect(shown.out).toMatch(/^token +hvs\.canary$/m)
    const silent = await login('-no-print')
    expect([silent.status, silent.out]).toEqual([2, ''])
    expect(silent.err).toMatch(/^Error storing token: failed to store the token/)
  })

  it('that is not there shows before a login is spent', async () => {
    rmSync(helper)
    const { status, requests } = await login()
    expect([status, requests]).toEqual([2, []])
  })

  it('that is not there is 2, before anything is sent', async () => {
    rmSync(helper)
    const { status, err, requests } = await runFake(['read', 'a'], { env })
    expect([status, requests]).toEqual([2, []])
    expect(err).toContain('unknown error getting the external helper path')
  })

  it.each([
    ['token_helper = ', 'line 1'],
    ['tokenhelper = "/x"', 'invalid key "tokenhelper"'],
    ['token_helper = ["/x"]', 'token_helper must be a text'],
    ['$ANSIBLE_VAULT;1.1;AES256', 'Ansible Vault is known to conflict'],
  ])('a file with %j is 2 and named', async (text, words) => {
    writeFileSync(join(home, '.vault'), text)
    const { status, err, requests } = await runFake(['read', 'a'], { env })
    expect([status, requests]).toEqual([2, []])
    expect(err).toContain(`error parsing config file at "${join(home, '.vault')}"`)
    expect(err).toContain(words)
  })

  it('is read from VAULT_CONFIG_PATH, and from ~/.bao where there is no ~/.vault', async () => {
    writeFileSync(kept, 'hvs.kept')
    rmSync(join(home, '.vault'))
    expect(await tokenSent()).toBeUndefined()
    writeFileSync(join(home, '.bao'), JSON.stringify({ token_helper: helper }))
    expect(await tokenSent()).toBe('hvs.kept')
    expect(await tokenSent({ VAULT_CONFIG_PATH: '~/nowhere' })).toBeUndefined()
    writeFileSync(join(home, 'cli.hcl'), `token_helper = "${helper}"`)
    expect(await tokenSent({ VAULT_CONFIG_PATH: '~/cli.hcl' })).toBe('hvs.kept')
  })
})
