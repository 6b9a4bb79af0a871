import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
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
    expect(out).toBe('Recovery Key 1: qg==\n\nInitial Root Token: hvs.r\n')
  })

  it('sends PGP keys from files, armoured or bare, and names a file that is not there', async () => {
    writeFileSync(
      join(folder, 'a.asc'),
      '-----BEGIN PGP PUBLIC KEY BLOCK-----\nVersion: x\n\nAAEC\nAwQF\n=abcd\n-----END PGP',
    )
    writeFileSync(join(folder, 'b.gpg'), Buffer.of(0xff, 0x01))
    const argv = ['operator', 'init', '-n', '2', '-t', '2', `-pgp-keys=${folder}/a.asc,${folder}/b.gpg`]
    const { requests } = await runFake(argv, { answer: () => json({ keys: [], root_token: '' }) })
    expect(JSON.parse(requests[0]?.body ?? '')).toMatchObject({ pgp_keys: ['AAECAwQF', '/wE='] })
    const missing = await runFake(['operator', 'init', '-n', '1', '-t', '1', `-pgp-keys=${folder}/no`])
    expect([missing.status, missing.err]).toEqual([1, expect.stringContaining(`${folder}/no cannot be read`)])
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
