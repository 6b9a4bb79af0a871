import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import fixtures from '../../lib/openpgp/gpg-keys.json' with { type: 'json' }
import { envelopeOf } from '../../sdk/fake-transport.ts'
import { runFake } from '../fake-context.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'coffer-operator-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const json = (body: object) => ({ body: JSON.stringify(body) })
const begun = {
  nonce: 'n-1',
  started: true,
  t: 2,
  n: 3,
  progress: 1,
  required: 2,
  pgp_fingerprints: null,
  backup: false,
  verification_required: false,
}

describe('operator init', () => {
  it('asks the server which keys it wants when no flag says it', async () => {
    const { out, requests } = await runFake(['operator', 'init'], {
      answer: ({ path }) =>
        path.endsWith('seal-status')
          ? json({ recovery_seal: true })
          : json({
              keys: [],
              keys_base64: [],
              recovery_keys: ['aa'],
              recovery_keys_base64: ['qg=='],
              root_token: 'hvs.r',
            }),
    })
    expect(requests[1]?.body).toBe('{"recovery_shares":5,"recovery_threshold":3}')
    expect(out).toContain('Recovery Key 1: qg==\n\nInitial Root Token: hvs.r\n\nThe server unseals itself')
    expect(out).toContain('they unseal nothing')
  })

  it('sends PGP keys from files, armoured, in base64 or bare', async () => {
    const { curve25519, rsa } = fixtures.keys
    writeFileSync(join(folder, 'a.asc'), fixtures.armoured)
    writeFileSync(join(folder, 'b.gpg'), Buffer.from(rsa.public, 'base64'))
    writeFileSync(join(folder, 'c.b64'), `${rsa.public}\n`)
    const files = ['a.asc', 'b.gpg', 'c.b64'].map((name) => `${folder}/${name}`)
    const answer = () => json({ keys: [], root_token: '' })
    const sent = async (...argv: string[]) => {
      const { requests } = await runFake(['operator', 'init', ...argv], { answer })
      return JSON.parse(requests[0]?.body ?? '')
    }
    expect(await sent('-n=3', '-t=2', `-pgp-keys=${files}`, `-root-token-pgp-key=@${folder}/a.asc`)).toMatchObject({
      pgp_keys: [curve25519.public, rsa.public, rsa.public],
      root_token_pgp_key: curve25519.public,
    })
    expect(await sent('-recovery-shares=1', `-recovery-pgp-keys=${files[1]}`)).toMatchObject({
      recovery_pgp_keys: [rsa.public],
    })
  })

  it.each([
    ['no', 'no cannot be read'],
    ['secret.gpg', "secret.gpg can't be used: this is a private key"],
    ['note.txt', "note.txt can't be used: it is neither base64 nor ASCII armour"],
  ])('sends nothing when a PGP key is none: %s', async (name, words) => {
    writeFileSync(join(folder, 'secret.gpg'), Buffer.from(fixtures.keys.rsa.secret, 'base64'))
    writeFileSync(join(folder, 'note.txt'), 'no key!')
    const argv = ['operator', 'init', '-n=1', '-t=1', `-pgp-keys=${folder}/${name}`]
    const { status, err, requests } = await runFake(argv)
    expect([status, err, requests]).toEqual([1, expect.stringContaining(words), []])
    const keybase = await runFake(['operator', 'init', '-n=1', '-t=1', '-pgp-keys=keybase:ann'])
    expect([keybase.status, keybase.err]).toEqual([1, expect.stringContaining('keybase is not supported')])
  })
})

describe('operator rekey', () => {
  it('begins and shows how far it is', async () => {
    const { out, requests, status } = await runFake(['operator', 'rekey', '-init', '-n=3', '-t=2'], {
      answer: () => json(begun),
    })
    expect(status).toBe(0)
    expect([requests[0]?.method, requests[0]?.path]).toEqual(['PUT', '/v1/sys/rekey/init'])
    expect(JSON.parse(requests[0]?.body ?? '')).toMatchObject({ secret_shares: 3, secret_threshold: 2 })
    expect(out).toMatch(/Nonce +n-1\n/)
    expect(out).toMatch(/Rekey Progress +1\/2\n/)
  })

  it('enters a key with the nonce of the operation and prints the new ones', async () => {
    const { out, requests } = await runFake(['operator', 'rekey', '-nonce=n-1', '-'], {
      stdin: 'qg==\n',
      answer: ({ method }) =>
        json(method === 'GET' ? begun : { complete: true, nonce: 'n-1', keys: ['aa'], keys_base64: ['qg=='] }),
    })
    expect(requests[1]).toMatchObject({ path: '/v1/sys/rekey/update', body: '{"key":"qg==","nonce":"n-1"}' })
    expect(out).toContain('Key 1: qg==\n')
    expect(out).toContain('rekeyed to 3 key shares and a key threshold of 2')
  })

  it('shows who can read the new keys, and warns when no copy is kept', async () => {
    writeFileSync(join(folder, 'rsa.gpg'), Buffer.from(fixtures.keys.rsa.public, 'base64'))
    const told = { ...begun, pgp_fingerprints: ['f1', 'f2'], backup: true }
    const begin = (...argv: string[]) =>
      runFake(['operator', 'rekey', '-init', '-n=1', '-t=1', `-pgp-keys=${folder}/rsa.gpg`, ...argv], {
        answer: () => json(told),
      })
    const kept = await begin('-backup')
    expect(JSON.parse(kept.requests[0]?.body ?? '')).toMatchObject({
      pgp_keys: [fixtures.keys.rsa.public],
      backup: true,
    })
    expect(kept.out).toMatch(/PGP Fingerprints +\[f1 f2\]\nBackup +true\n/)
    expect(kept.err).toBe('')
    expect((await begin()).err).toContain('not backed up')
    const made = { ...told, complete: true, keys: ['aa', 'bb'], keys_base64: ['qg==', 'uw=='] }
    const { out } = await runFake(['operator', 'rekey', '-nonce=n-1', 'qg=='], {
      answer: ({ method }) => json(method === 'GET' ? told : made),
    })
    expect(out).toContain('Key 1 fingerprint: f1; value: qg==\nKey 2 fingerprint: f2; value: uw==\n')
    expect(out).toContain('backed up in the storage')
  })

  it('shows the copy of encrypted keys', async () => {
    const data = { nonce: 'n', keys: { f1: ['aa'] }, keys_base64: { f1: ['qg=='] } }
    const run = (...argv: string[]) =>
      runFake(['operator', 'rekey', '-backup-retrieve', ...argv], { answer: () => envelopeOf({ data }) })
    const { out, requests } = await run('-format=json')
    expect(JSON.parse(out).data).toEqual(data)
    expect(requests[0]).toMatchObject({ method: 'GET', path: '/v1/sys/rekey/backup' })
    expect((await run('-target=recovery')).requests[0]?.path).toBe('/v1/sys/rekey/recovery-key-backup')
    expect((await run()).out).toMatch(/keys_base64 +map\[f1:\[qg==\]\]/)
  })

  it('speaks of recovery keys when they are the target, and of showing with -verify', async () => {
    const answer = () => json(begun)
    const paths = async (...argv: string[]) =>
      (await runFake(['operator', 'rekey', ...argv], { answer })).requests.map(
        ({ method, path }) => `${method} ${path}`,
      )
    expect(await paths('-status', '-target=recovery')).toEqual(['GET /v1/sys/rekey-recovery-key/init'])
    expect(await paths('-cancel', '-verify')).toEqual(['DELETE /v1/sys/rekey/verify'])
    expect(await paths('-status', '-verify')).toEqual(['GET /v1/sys/rekey/verify'])
    expect(await paths('-backup-delete')).toEqual(['DELETE /v1/sys/rekey/backup'])
  })

  it('is refused for another target, without an operation, and for stdin without a nonce', async () => {
    expect((await runFake(['operator', 'rekey', '-status', '-target=x'])).err).toContain('Unknown target: x')
    const idle = await runFake(['operator', 'rekey', 'qg=='], { answer: () => json({ started: false }) })
    expect([idle.status, idle.err]).toEqual([1, expect.stringContaining('No rekey is in progress')])
    const blind = await runFake(['operator', 'rekey', '-'], { stdin: 'qg==', answer: () => json(begun) })
    expect([blind.status, blind.err]).toEqual([1, expect.stringContaining('-nonce')])
  })

  it('is 2 when the server says no', async () => {
    const answer = () => ({ status: 400, body: '{"errors":["rekey already in progress"]}' })
    const { status, err } = await runFake(['operator', 'rekey', '-init'], { answer })
    expect([status, err]).toEqual([2, expect.stringContaining('rekey already in progress')])
  })
})

describe('operator generate-root', () => {
  const idle = { nonce: '', started: false, progress: 0, required: 2, complete: false, otp: '', otp_length: 28 }

  it('begins, and shows the password once', async () => {
    const { out, err } = await runFake(['operator', 'generate-root', '-init'], {
      answer: () => json({ ...idle, started: true, nonce: 'n', otp: 'pass' }),
    })
    expect(out).toMatch(/OTP +pass\n/)
    expect(err).toContain('One-Time-Password')
  })

  it('begins for the holder of a PGP key', async () => {
    writeFileSync(join(folder, 'one.gpg'), Buffer.from(fixtures.keys.rsa.public, 'base64'))
    const argv = ['operator', 'generate-root', '-init', `-pgp-key=${folder}/one.gpg`]
    const { out, requests } = await runFake(argv, {
      answer: () => json({ ...idle, started: true, nonce: 'n', pgp_fingerprint: 'f1' }),
    })
    expect(JSON.parse(requests[0]?.body ?? '')).toEqual({ otp: '', pgp_key: fixtures.keys.rsa.public })
    expect(out).toMatch(/PGP Fingerprint +f1\n/)
    const both = await runFake([...argv, '-otp=x'])
    expect([both.status, both.requests]).toEqual([1, []])
  })

  it('enters a key', async () => {
    const { out, requests } = await runFake(['operator', 'generate-root', 'qg=='], {
      answer: ({ method }) =>
        json({
          ...idle,
          started: true,
          nonce: 'n',
          ...(method === 'PUT' ? { complete: true, encoded_token: 'eA' } : {}),
        }),
    })
    expect(requests[1]).toMatchObject({ path: '/v1/sys/generate-root/update', body: '{"key":"qg==","nonce":"n"}' })
    expect(out).toMatch(/Encoded Token +eA\n/)
  })

  it('makes a password of the length that the server wants, and decodes with it', async () => {
    const made = await runFake(['operator', 'generate-root', '-generate-otp'], { answer: () => json(idle) })
    expect(made.out).toMatch(/^\w{28}$/)
    const encoded = Buffer.from([...'hvs.x'].map((char, i) => char.charCodeAt(0) ^ 'abcde'.charCodeAt(i))).toString(
      'base64',
    )
    const argv = ['operator', 'generate-root', `-decode=${encoded.replace(/=+$/, '')}`, '-otp=abcde']
    expect((await runFake(argv)).out).toBe('hvs.x')
    const wrong = await runFake(['operator', 'generate-root', `-decode=${encoded}`, '-otp=a'])
    expect([wrong.status, wrong.err]).toEqual([1, expect.stringContaining('not of the same length')])
    expect((await runFake(['operator', 'generate-root', '-decode=eA'])).err).toContain('Missing otp')
  })
})

describe('operator rotate, key-status, members and step-down', () => {
  const data = { term: 2, install_time: '2026-11-20T23:36:49.39Z', encryptions: 7 }
  const shown = 'Key Term            2\nInstall Time        20 Nov 26 23:36 UTC\nEncryption Count    7\n'

  it('rotate, and show what is in use', async () => {
    const answer = ({ method }: { method: string }) => (method === 'GET' ? envelopeOf({ data }) : { status: 204 })
    expect((await runFake(['operator', 'key-status'], { answer })).out).toBe(shown)
    expect((await runFake(['operator', 'rotate'], { answer })).out).toBe(`Success! Rotated key\n\n${shown}`)
    expect(JSON.parse((await runFake(['operator', 'rotate', '-format=json'], { answer })).out)).toEqual(data)
  })

  it('list the nodes', async () => {
    const nodes = [{ hostname: 'a', active_node: true, version: '2.6.0', last_echo: null }]
    const { out } = await runFake(['operator', 'members'], { answer: () => envelopeOf({ data: { nodes } }) })
    expect(out).toContain('Host Name    API Address')
    expect(out).toMatch(/^a +n\/a +n\/a +true +2\.6\.0/m)
  })

  it('step down', async () => {
    const { out, requests } = await runFake(['operator', 'step-down'])
    expect(out).toBe('Success! Stepped down: http://127.0.0.1:8200\n')
    expect(requests[0]).toMatchObject({ method: 'PUT', path: '/v1/sys/step-down' })
  })
})
