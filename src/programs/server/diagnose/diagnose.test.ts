import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { runFake } from '../../../cli/fake-context.ts'
import { systemRandom } from '../../../lib/random.ts'
import { createCa, issueCertificate } from '../../../lib/x509/certificates.ts'
import { localServer } from './local-server.ts'

const base = mkdtempSync(join(tmpdir(), 'coffer-diagnose-'))
afterAll(() => rmSync(base, { recursive: true, force: true }))
const folder = join(base, 'server')
const dayMs = 86_400_000
const now = Date.now()
const ca = createCa({ commonName: 'the CA', now, random: systemRandom, validForMs: 90 * dayMs })
const leafOf = (days: number, from = ca, at = now) =>
  issueCertificate(from, {
    commonName: 'server',
    dnsNames: ['server'],
    now: at,
    random: systemRandom,
    server: true,
    validForMs: days * dayMs,
  })

let taken: Server | undefined
beforeEach(() => {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder)
})
afterEach(async () => {
  await new Promise<void>((resolve) => (taken ? taken.close(() => resolve()) : resolve()))
  taken = undefined
})

const file = (name: string, text: string) => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}
const tlsOf = (cert: string, key: string) =>
  `tls_cert_file = "${file('cert.pem', cert)}"\n  tls_key_file = "${file('key.pem', key)}"`
const plain = 'tls_disable = true'

interface Config {
  readonly listener?: string
  readonly address?: string
  readonly storage?: string
  readonly more?: string
}
const configOf = ({ listener = plain, address = '127.0.0.1:0', storage, more = '' }: Config) =>
  file(
    'coffer.hcl',
    `storage ${storage ?? `"lmdb" {\n  path = "${join(folder, 'data')}"\n}`}
listener "tcp" {
  address = "${address}"
  ${listener}
}
${more}`,
  )
const run = (name: string, config: Config, ...flags: string[]) =>
  runFake(['operator', name, `-config=${configOf(config)}`, ...flags], {
    localServer: async () => localServer({ CANARY_KEY: 'canary-key-of-the-wrong-length' }),
  })
const diagnose = (config: Config, ...flags: string[]) => run('diagnose', config, ...flags)

describe('operator diagnose', () => {
  it('tries all that a start needs, and leaves nothing in the storage', async () => {
    const leaf = leafOf(60)
    const more = `
seal "static" {
  current_key_id = "k"
  current_key    = "${'ab'.repeat(32)}"
}
audit "file" "log" {
  options {
    file_path = "${join(folder, 'audit.log')}"
  }
}`
    const config = { listener: tlsOf(leaf.certPem + ca.certPem, leaf.keyPem), more }
    const first = await diagnose(config)
    for (const line of [
      '[ success ] Parse Configuration: Coffer configuration syntax is ok\n',
      '[ success ] Create Storage Backend\n',
      '[ success ] Check Autounseal: static encrypts and decrypts\n',
      '[ success ] Check Audit Device log/\n',
      '[ success ] Check TLS: CN=server',
      '[ success ] Create Listener\n',
    ]) {
      expect(first.out).toContain(line)
    }
    expect(first.out).not.toContain('[ failure ]')
    expect([0, 2]).toContain(first.status)
    expect((await diagnose(config)).out).not.toContain('[ failure ]')
    expect(first.out).not.toContain('abab')
  })

  it.each<[string, () => Config, string]>([
    [
      'a key of another certificate',
      () => ({ listener: tlsOf(leafOf(60).certPem, leafOf(60).keyPem) }),
      'is not the one of the certificate',
    ],
    [
      'a certificate that ended',
      () => {
        const leaf = leafOf(1, ca, now - 10 * dayMs)
        return { listener: tlsOf(leaf.certPem, leaf.keyPem) }
      },
      'ended at',
    ],
    [
      'a chain in disorder',
      () => {
        const leaf = leafOf(60)
        const other = createCa({ commonName: 'other', now, random: systemRandom, validForMs: 90 * dayMs })
        return { listener: tlsOf(leaf.certPem + other.certPem, leaf.keyPem) }
      },
      'certificate 2 did not issue the one before it',
    ],
    [
      'a file that is not there',
      () => ({ listener: 'tls_cert_file = "/nowhere/c"\n  tls_key_file = "/nowhere/k"' }),
      'ENOENT',
    ],
    [
      'a storage that is no folder',
      () => ({ storage: `"lmdb" {\n  path = "${file('f', '')}/data"\n}` }),
      '[ failure ] Create Storage Backend: ',
    ],
    [
      'a seal key of the wrong length',
      () => ({ more: 'seal "static" {\n  current_key_id = "k"\n  current_key = "env://CANARY_KEY"\n}' }),
      '[ failure ] Check Autounseal: seal "static": current_key must be 32 bytes',
    ],
    [
      'an audit file where nothing can be written',
      () => ({ more: `audit "file" "log" {\n  options {\n    file_path = "${file('f', '')}/audit.log"\n  }\n}` }),
      '[ failure ] Check Audit Device log/: ',
    ],
    ['a setting that is not known', () => ({ more: 'lisener = 1' }), '[ failure ] Parse Configuration: '],
    [
      'a socket whose owner nobody knows',
      () => ({ more: `listener "unix" {\n address = "${folder}/s"\n socket_user = "nobody.at.all"\n}` }),
      'there is no user nobody.at.all',
    ],
    [
      'a socket where something else lies',
      () => ({ more: `listener "unix" {\n address = "${file('s', '')}"\n}` }),
      '/s is no socket',
    ],
    [
      'a socket in a folder that is not there',
      () => ({ more: `listener "unix" {\n address = "${folder}/none/s"\n}` }),
      'there is no folder',
    ],
  ])('%s is a failure: 1', async (_, config, words) => {
    const { status, out } = await diagnose(config())
    expect(out).toContain(words)
    expect(out).toContain('[ failure ] Coffer Diagnose\n')
    expect(status).toBe(1)
    expect(out).not.toContain('canary')
  })

  it('an address that is taken is a failure, unless listeners are skipped', async () => {
    taken = createServer()
    const listening = taken
    await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve))
    const bound = listening.address()
    const address = `127.0.0.1:${typeof bound === 'object' ? bound?.port : ''}`
    const tried = await diagnose({ address })
    expect([tried.status, tried.out]).toEqual([1, expect.stringContaining('EADDRINUSE')])
    expect(tried.out).toContain('-skip=listener leaves this out.')
    const skipped = await diagnose({ address }, '-skip=listener')
    expect(skipped.out).toContain('[ skipped ] Create Listener\n')
    expect(skipped.out).not.toContain('[ failure ]')
  })

  it('skips storage and seal when told to, and nothing that does not exist', async () => {
    const { out } = await diagnose({}, '-skip=storage,autounseal')
    expect(out).toContain('[ skipped ] Check Storage\n')
    expect(out).toContain('[ skipped ] Check Autounseal\n')
    expect(readdirSync(folder)).not.toContain('data')
    expect(await diagnose({}, '-skip=storag')).toMatchObject({
      status: 3,
      err: expect.stringContaining('-skip=storag'),
    })
  })

  it('warns of what works and should not stay: 2', async () => {
    const leaf = leafOf(10)
    const ending = await diagnose({ listener: tlsOf(leaf.certPem, leaf.keyPem) })
    expect([ending.status, ending.out]).toEqual([2, expect.stringContaining('CN=server ends within 30 days')])
    const bare = await diagnose({ address: '0.0.0.0:0', storage: '"inmem" {}' })
    expect(bare.status).toBe(2)
    expect(bare.out).toContain('[ warning ] TLS is disabled')
    expect(bare.out).toContain('[ warning ] inmem forgets everything')
  })

  it('as JSON has the same tree', async () => {
    const { out } = await diagnose({ storage: '"inmem" {}' }, '-format=json')
    const tree = JSON.parse(out)
    expect(tree).toMatchObject({ name: 'Coffer Diagnose', status: 'warn' })
    expect(tree.children.map(({ name }: { name: string }) => name)).toContain('Check Storage')
  })

  it('without -config is wrong use: 3', async () => {
    const { status, err } = await runFake(['operator', 'diagnose'], { localServer: async () => localServer({}) })
    expect([status, err]).toEqual([3, 'Must specify a configuration file using -config.\n'])
  })
})

describe('operator validate-config', () => {
  it('reads the text only: 0', async () => {
    const listener = 'tls_cert_file = "/nowhere/c"\n  tls_key_file = "/nowhere/k"'
    const { status, out } = await run('validate-config', { listener })
    expect([status, out]).toEqual([0, '[ success ] Validate Config: Coffer configuration syntax is ok\n'])
    expect(readdirSync(folder)).toEqual(['coffer.hcl'])
  })

  it('is 1 for what is not known, 2 for what has no effect, and names both', async () => {
    const wrong = await run('validate-config', { more: 'lisener = 1' })
    expect([wrong.status, wrong.out]).toEqual([1, expect.stringContaining('lisener')])
    const idle = await run('validate-config', { more: 'disable_mlock = false' })
    expect([idle.status, idle.out]).toEqual([2, expect.stringContaining('[ warning ] "disable_mlock"')])
  })
})
