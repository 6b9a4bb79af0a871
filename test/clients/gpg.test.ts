/** Holders of unseal keys with GnuPG: what a built server encrypts to their keys, they read, and nobody else. */
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { root, startServer, type TestServer } from '../e2e/server-process.ts'

const absent = spawnSync('gpg', ['--version']).status !== 0
const scratch = mkdtempSync(join(tmpdir(), 'gpg-'))
const home = join(scratch, 'h')
const env = { PATH: process.env['PATH'], HOME: scratch, GNUPGHOME: home }
const gpg = (input: Uint8Array | string, ...args: string[]) => {
  const all = ['--batch', '--quiet', '--no-tty', '--pinentry-mode', 'loopback', '--passphrase', '', ...args]
  return execFileSync('gpg', all, { env, input, stdio: ['pipe', 'pipe', 'pipe'] })
}

/** Primary key and subkey for encryption, as GnuPG names them; `armour`: how the file has it. */
const people = [
  { name: 'ann', primary: 'ed25519', subkey: 'cv25519', armour: true },
  { name: 'bob', primary: 'rsa2048', subkey: 'rsa3072', armour: false },
  { name: 'cleo', primary: 'nistp256', subkey: 'nistp256', armour: true },
  { name: 'dan', primary: 'nistp384', subkey: 'nistp384', armour: false },
  { name: 'eve', primary: 'nistp521', subkey: 'nistp521', armour: true },
]
const fileOf = (name: string) => join(scratch, `${name}.key`)

describe.skipIf(absent)('GnuPG (skipped where there is no gpg)', () => {
  let server: TestServer
  beforeAll(async () => {
    mkdirSync(home)
    chmodSync(home, 0o700)
    for (const { name, primary, subkey, armour } of people) {
      gpg('', '--quick-gen-key', `${name}@example.org`, primary, 'cert', 'never')
      const listed = gpg('', '--with-colons', '--list-keys', `=${name}@example.org`).toString()
      gpg('', '--quick-add-key', /^fpr:*([0-9A-F]{40}):/m.exec(listed)?.[1] ?? '', subkey, 'encr', '1y')
      writeFileSync(fileOf(name), gpg('', ...(armour ? ['--armor'] : []), '--export', `=${name}@example.org`))
    }
    execFileSync(process.execPath, [join(root, 'scripts/build.mjs'), '--if-stale'])
    server = await startServer({ init: false })
  })
  afterAll(async () => {
    await server?.close()
    // The agent that gpg started for this folder, and no other.
    if (!absent) execFileSync('gpgconf', ['--kill', 'gpg-agent'], { env })
    rmSync(scratch, { recursive: true, force: true })
  })

  const coffer = (...args: string[]) =>
    execFileSync(process.execPath, [join(root, 'bin/coffer'), ...args], {
      env: { ...env, VAULT_ADDR: server.url, VAULT_TOKEN: server.rootToken },
    }).toString()
  const read = (base64: string) => gpg(Buffer.from(base64, 'base64'), '--decrypt').toString()

  it('opens unseal keys, root tokens and backups of every kind of key that is accepted', () => {
    const files = people.map(({ name }) => fileOf(name)).join(',')
    const counts = ['-key-shares=5', '-key-threshold=3', `-pgp-keys=${files}`]
    const init = JSON.parse(
      coffer('operator', 'init', ...counts, `-root-token-pgp-key=${fileOf('ann')}`, '-format=json'),
    )
    const shares: string[] = init.unseal_keys_b64.map(read)
    for (const share of shares) expect(share).toMatch(/^[0-9a-f]{66}$/)
    for (const share of shares.slice(0, 3)) coffer('operator', 'unseal', share)
    server.rootToken = read(init.root_token)
    expect(coffer('token', 'lookup', '-format=json')).toContain('"root"')

    const begun = JSON.parse(coffer('operator', 'rekey', '-init', ...counts, '-backup', '-format=json'))
    expect(begun.pgp_fingerprints).toHaveLength(5)
    const rekeyed = shares
      .slice(2)
      .map((share) => coffer('operator', 'rekey', `-nonce=${begun.nonce}`, '-format=json', share))
    const fresh: string[] = JSON.parse(rekeyed.at(-1) ?? '').keys_base64.map(read)
    const kept = JSON.parse(coffer('operator', 'rekey', '-backup-retrieve', '-format=json')).data
    expect(Object.values<string[]>(kept.keys_base64).flat().map(read).sort()).toEqual(fresh.toSorted())
    coffer('operator', 'rekey', '-backup-delete')

    const root = JSON.parse(coffer('operator', 'generate-root', '-init', `-pgp-key=${fileOf('eve')}`, '-format=json'))
    const made = fresh
      .slice(0, 3)
      .map((share) => coffer('operator', 'generate-root', `-nonce=${root.nonce}`, '-format=json', share))
    server.rootToken = read(JSON.parse(made.at(-1) ?? '').encoded_root_token)
    expect(coffer('token', 'lookup', '-format=json')).toContain('"root"')
    for (const secret of [...shares, ...fresh, server.rootToken]) expect(server.output()).not.toContain(secret)
  })
})
