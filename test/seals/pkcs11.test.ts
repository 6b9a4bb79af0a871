/** The seal of an HSM on a built server, with SoftHSM as the HSM. */
import { execFileSync, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { everythingBelow, root, startServer, type TestServer } from '../e2e/server-process.ts'
import { softHsmLibrary } from './pkcs11.mjs'
import { initialise, migrate, recovery, restart, status, unsealed, until } from './sealed-server.ts'
import { SoftHsm } from './soft-hsm.ts'

const aes = ['aes', 'root', '01', '0f'.repeat(32)]

let hsm: SoftHsm
const servers: TestServer[] = []
beforeAll(() => {
  execFileSync(process.execPath, [join(root, 'scripts/build.mjs'), '--if-stale'])
})
beforeEach(() => {
  hsm = new SoftHsm()
  hsm.admin(...aes)
})
afterEach(async () => {
  for (const server of servers.splice(0)) {
    const found = everythingBelow(server.dir).filter(({ path }) => !path.endsWith('server.hcl'))
    expect([server.output(), ...found.map(({ text }) => text)].join('\n')).not.toContain('canary')
    await server.close()
  }
  hsm.close()
})
afterAll(() => expect(tokenProcesses()).toEqual([]))

/** Processes for the token that are left. */
function tokenProcesses(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
        return line.includes(`${root}/bin/coffer pkcs11-token`) ? [pid] : []
      } catch {
        return []
      }
    })
}

async function start(stanzas: string, env: Record<string, string> = hsm.env): Promise<TestServer> {
  const server = await startServer({ init: false, stanzas, env })
  servers.push(server)
  return server
}

const holds = async (server: TestServer) => (await server.request('GET', 'auth/token/lookup-self')).status === 200

describe('a server with the seal pkcs11', () => {
  it('is initialised with recovery keys, and unseals itself when it starts again', async () => {
    const server = await start(hsm.stanza('root'))
    expect(await status(server)).toMatchObject({ type: 'pkcs11', initialized: false, recovery_seal: true })
    expect(await initialise(server)).toHaveLength(3)
    expect(await status(server)).toMatchObject({ type: 'pkcs11', sealed: false, t: 2, n: 3 })
    await restart(server)
    await until(server, 'it is unsealed', () => unsealed(server))
    expect(await holds(server)).toBe(true)
    expect(server.output()).not.toContain('root key wrapped anew')
    expect(tokenProcesses()).toEqual([])
  })

  it('takes everything from the environment, as Vault does', async () => {
    const server = await start('', {
      ...hsm.env,
      VAULT_SEAL_TYPE: 'pkcs11',
      VAULT_HSM_LIB: softHsmLibrary,
      VAULT_HSM_TOKEN_LABEL: 'coffer-test',
      VAULT_HSM_PIN: hsm.pin,
      VAULT_HSM_KEY_ID: '0x01',
    })
    await initialise(server)
    await restart(server)
    await until(server, 'it is unsealed', () => unsealed(server))
  })

  it('wraps anew with another key, and needs the one before no more', async () => {
    const server = await start(hsm.stanza('root'))
    await initialise(server)
    hsm.admin('rsa', 'pair', '02')
    // SoftHSM knows OAEP with SHA-1 alone.
    await restart(server, hsm.stanza('pair', 'rsa_oaep_hash = "sha1"'))
    await until(server, 'it is unsealed', () => unsealed(server))
    await until(server, 'it says so', () => server.output().includes('root key wrapped anew'))
    hsm.admin('delete', 'root')
    await restart(server)
    await until(server, 'it is unsealed', () => unsealed(server))
    expect(await holds(server)).toBe(true)
  })

  it('of several workers lets each of them ask the token', async () => {
    const server = await start(`workers = 2\n${hsm.stanza('root')}`)
    await initialise(server)
    await until(server, 'it is unsealed', () => unsealed(server))
    for (let i = 0; i < 4; i += 1) {
      const answer = await server.request('PUT', 'sys/rotate/root')
      expect(answer.status, answer.text).toBe(204)
    }
    await restart(server)
    await until(server, 'it is unsealed', () => unsealed(server))
    expect(await holds(server)).toBe(true)
  })

  it('says at its initialisation what is wrong with the token, and is initialised when that is mended', async () => {
    hsm.admin('delete', 'root')
    const server = await start(hsm.stanza('root'))
    const refused = await server.request('PUT', 'sys/init', recovery, '')
    expect(refused.status).toBe(500)
    expect(refused.json.errors[0]).toContain('seal "pkcs11": the token has no key labelled "root"')
    expect((await status(server)).initialized).toBe(false)
    hsm.admin(...aes)
    await initialise(server)
  })
})

describe('while the token can not help, the server stays sealed, says why, and unseals itself afterwards', () => {
  /** Restarted in trouble, it is mended, and nobody has to do anything about the server. */
  async function recovers(server: TestServer, why: string, mend: () => void, stanzas?: string): Promise<void> {
    await restart(server, stanzas)
    await until(server, 'it says why', () => server.output().includes(why))
    expect((await server.request('GET', 'sys/health', undefined, '')).status).toBe(503)
    mend()
    await until(server, 'it is unsealed', () => unsealed(server))
    expect(await holds(server)).toBe(true)
  }

  it('when the key was deleted', async () => {
    const server = await start(hsm.stanza('root'))
    await initialise(server)
    hsm.admin('delete', 'root')
    await recovers(server, 'the token has no key labelled', () => hsm.admin(...aes))
  })

  it('when the key is another one', async () => {
    const server = await start(hsm.stanza('root'))
    await initialise(server)
    hsm.admin('delete', 'root')
    hsm.admin('aes', 'root', '01', '1e'.repeat(32))
    await recovers(server, 'does not open the root key', () => {
      hsm.admin('delete', 'root')
      hsm.admin(...aes)
    })
  })

  it('when two keys have its name, until key_id says which', async () => {
    const server = await start(hsm.stanza('root'))
    await initialise(server)
    hsm.admin('aes', 'root', '05', '1e'.repeat(32))
    await restart(server)
    await until(server, 'it says why', () => server.output().includes('say which one by key_id'))
    expect(await unsealed(server)).toBe(false)
    await restart(server, hsm.stanza('root', 'key_id = "0x01"'))
    await until(server, 'it is unsealed', () => unsealed(server))
  })

  it('when the token was removed', async () => {
    const server = await start(hsm.stanza('root'))
    await initialise(server)
    hsm.remove()
    await recovers(server, 'there is no token labelled', () => hsm.putBack())
  })

  it('when the PIN is wrong, which is tried once', async () => {
    const file = join(hsm.dir, 'pin')
    const stanza = hsm.stanza('root', '', `file://${file}`)
    writeFileSync(file, `${hsm.pin}\n`)
    const server = await start(stanza)
    await initialise(server)
    writeFileSync(file, 'wrong-canary-pin')
    await restart(server)
    await until(server, 'it was not tried again', () => server.output().includes('It is not tried again'))
    expect((await server.request('GET', 'sys/health', undefined, '')).status).toBe(503)
    writeFileSync(file, hsm.pin)
    await until(server, 'it is unsealed', () => unsealed(server))
  })

  it('when the library hangs: requests are answered, and the server ends at once when it is told to', async () => {
    const server = await start(hsm.stanza('root'))
    await initialise(server)
    const source = join(hsm.dir, 'hang.c')
    const library = join(hsm.dir, 'hang.so')
    writeFileSync(source, '#include <unistd.h>\nunsigned long C_GetFunctionList(void *list) { for (;;) pause(); }\n')
    execFileSync('cc', ['-shared', '-fPIC', '-o', library, source])
    await restart(server, hsm.stanza('root').replace(softHsmLibrary, library))
    expect(tokenProcesses()).toHaveLength(1)
    expect((await server.request('GET', 'sys/health', undefined, '')).status).toBe(503)
    expect(tokenProcesses()).toHaveLength(1)
    expect(await server.kill('SIGTERM')).toBe(0)
    await until(server, 'the process for the token is gone', () => tokenProcesses().length === 0)
  })
})

describe('a migration', () => {
  const noShares = 'seal "shamir" {}\n'
  const shares = { secret_shares: 3, secret_threshold: 2 }

  it('leads from unseal keys to the token, and from there to a static key', async () => {
    const server = await start(noShares)
    const { json } = await server.request('PUT', 'sys/init', shares, '')
    server.rootToken = json.root_token
    const keys: string[] = json.keys.slice(0, 2)
    await restart(server, hsm.stanza('root'))
    expect(await status(server)).toMatchObject({ migration: true, sealed: true })
    await migrate(server, keys)
    expect(await status(server)).toMatchObject({ type: 'pkcs11', sealed: false, recovery_seal: true })
    await restart(server)
    await until(server, 'it is unsealed', () => unsealed(server))
    const key = 'ab'.repeat(32)
    const fixed = `seal "static" {\n  current_key_id = "a"\n  current_key = "${key}"\n}\n`
    await restart(server, fixed + hsm.stanza('root', 'disabled = true'))
    await migrate(server, keys)
    expect(await status(server)).toMatchObject({ type: 'static', sealed: false })
    hsm.admin('delete', 'root')
    await restart(server, fixed)
    await until(server, 'it is unsealed', () => unsealed(server))
    expect(await holds(server)).toBe(true)
  })

  it('leads back to unseal keys, which the recovery keys become', async () => {
    const server = await start(hsm.stanza('root'))
    const keys = await initialise(server)
    await restart(server, hsm.stanza('root', 'disabled = true'))
    await migrate(server, keys.slice(0, 2))
    expect(await status(server)).toMatchObject({ type: 'shamir', sealed: false, recovery_seal: false })
    await restart(server, noShares)
    for (const key of keys.slice(1)) await server.request('PUT', 'sys/unseal', { key }, '')
    expect(await unsealed(server)).toBe(true)
    expect(await holds(server)).toBe(true)
  })
})

describe('without pkcs11js', () => {
  const attempt = (dir: string, env: Record<string, string>) =>
    spawnSync(process.execPath, [join(root, 'bin/coffer'), 'server', `-config=${join(dir, 'server.hcl')}`], {
      env: { PATH: process.env['PATH'], ...env },
      encoding: 'utf8',
      timeout: 60_000,
    })

  it('or with no PIN to be read, the server does not start and says what to do', async () => {
    const server = await start(hsm.stanza('root'))
    await server.kill('SIGTERM')
    const none = attempt(server.dir, { SOFTHSM2_CONF: hsm.env['SOFTHSM2_CONF'] ?? '' })
    expect(none.status).toBe(1)
    expect(none.stderr).toContain('npm install --prefix /opt/coffer-hsm pkcs11js@2.1.7')
    expect(none.stderr).toContain('NODE_PATH=/opt/coffer-hsm/node_modules')
    const noPin = attempt(server.dir, { ...hsm.env, VAULT_HSM_PIN: 'file:///nowhere/at/all' })
    expect(noPin.status).toBe(1)
    expect(noPin.stderr).toContain('the file /nowhere/at/all cannot be read')
  })
})
