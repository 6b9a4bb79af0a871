/** What the seal of AWS KMS says when KMS refuses, stumbles or is away; AWS's own SDK against a server that does so. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import { FakeClock } from '../../src/lib/fake-clock.ts'
import { Refusal } from '../../src/server/contracts/request.ts'
import { kmsCalls } from '../../src/server/seal/awskms/kms-calls.ts'
import type { KmsClientSettings } from '../../src/server/seal/awskms/sdk-client.ts'
import { readSharedCredentials } from '../../src/server/seal/awskms/shared-credentials.ts'

interface Asked {
  readonly target: string
  readonly body: any
  readonly headers: IncomingHttpHeaders
}
/** What KMS does next: an answer, a status with a body, or nothing for ever. */
type Next = { readonly status?: number; readonly body: object | string } | 'cut' | 'silence'

const key = 'arn:aws:kms:eu-central-1:123456789012:key/11111111-0000-0000-0000-000000000000'
const encrypted = { body: { CiphertextBlob: Buffer.from('x').toString('base64'), KeyId: key } }
const fault = (name: string, status = 400) => ({ status, body: { __type: name, message: 'canary-message' } })

const folder = mkdtempSync(join(tmpdir(), 'coffer-kms-faults-'))
let server: Server
let endpoint = ''
let asked: Asked[] = []
let script: (n: number) => Next = () => encrypted
let noticed = () => {}

beforeAll(async () => {
  server = createServer((request, response) => {
    let text = ''
    request.on('data', (data) => (text += data))
    request.on('end', () => {
      asked.push({
        target: String(request.headers['x-amz-target']),
        body: JSON.parse(text),
        headers: request.headers,
      })
      const next = script(asked.length)
      noticed()
      if (next === 'silence') return
      if (next === 'cut') return void request.socket.destroy()
      response.writeHead(next.status ?? 200, {
        'Content-Type': 'application/x-amz-json-1.1',
        'x-amzn-RequestId': '6b9e2f9c-0000',
      })
      response.end(typeof next.body === 'string' ? next.body : JSON.stringify(next.body))
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const address = server.address()
  if (address && typeof address === 'object') endpoint = `http://127.0.0.1:${address.port}`
})
afterAll(async () => {
  server.closeAllConnections()
  await new Promise((done) => server.close(done))
  rmSync(folder, { recursive: true })
})
beforeEach(() => {
  asked = []
  script = () => encrypted
  noticed = () => {}
  // Nothing of this machine's own AWS settings, and no address of a cloud's machines is asked.
  for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) vi.stubEnv(name, undefined)
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true')
  vi.stubEnv('AWS_CONFIG_FILE', join(folder, 'none'))
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', join(folder, 'credentials'))
  vi.stubEnv('AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED', 'true')
})
afterEach(() => {
  vi.unstubAllEnvs()
})

const credentials = async () => ({
  accessKeyId: 'AKIACANARY',
  secretAccessKey: 'canary-secret',
  sessionToken: 'canary-session',
})
const callsWith = (settings: Partial<KmsClientSettings> = {}, clock = systemClock) =>
  kmsCalls({ region: 'eu-central-1', endpoint, credentials, clock, ...settings })
const encrypt = () => callsWith().encrypt(key, Buffer.from('data key'))

/** The words of the refusal; nothing that AWS or we hold secret may stand in it, in its cause neither. */
async function words(failing: Promise<unknown>): Promise<string> {
  const error = await failing.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(Refusal)
  const text = error instanceof Refusal ? error.errors.join() : ''
  const whole = error instanceof Error ? `${text} ${error.stack} ${String(error.cause)}` : ''
  expect(whole).not.toMatch(/canary/i)
  return text
}

describe('a call to KMS', () => {
  it('carries the encryption context and is signed with the given credentials', async () => {
    await encrypt()
    const plaintext = Buffer.from('data key')
    script = () => ({ body: { Plaintext: plaintext.toString('base64'), KeyId: key } })
    expect(Buffer.from(await callsWith().decrypt(key, Buffer.from('x')))).toEqual(plaintext)
    expect(asked.map(({ target }) => target)).toEqual(['TrentService.Encrypt', 'TrentService.Decrypt'])
    expect(asked[0]?.body).toEqual({
      KeyId: key,
      Plaintext: plaintext.toString('base64'),
      EncryptionContext: { coffer: 'root key' },
    })
    expect(asked[1]?.body).toMatchObject({ KeyId: key, EncryptionContext: { coffer: 'root key' } })
    expect(asked[0]?.headers['authorization']).toMatch(/Credential=AKIACANARY\/\d+\/eu-central-1\/kms\//)
    expect(asked[0]?.headers['x-amz-security-token']).toBe('canary-session')
  })

  it.each([
    ['AccessDeniedException', `AWS does not allow kms:Encrypt on the key ${key}`],
    ['NotFoundException', `there is no KMS key ${key} in eu-central-1`],
    ['DisabledException', `the KMS key ${key} is disabled: enable it`],
    ['KMSInvalidStateException', 'cancel its deletion'],
    ['InvalidKeyUsageException', 'ENCRYPT_DECRYPT'],
    ['InvalidCiphertextException', 'does not open the root key'],
    ['IncorrectKeyException', 'does not open the root key'],
    ['UnrecognizedClientException', 'AWS does not know the access key or the session token'],
    ['InvalidSignatureException', 'the secret access key does not belong to the access key'],
    ['ExpiredTokenException', 'the session token has expired'],
    ['SomethingNewException', `KMS Encrypt with the key ${key} failed`],
  ])('that fails with %s says what to do', async (name, why) => {
    script = () => fault(name)
    const text = await words(encrypt())
    expect(text).toContain(why)
    expect(text).toContain(`(${name}, request 6b9e2f9c-0000)`)
  })

  it('names the action that is missing, but needs none to look at the key', async () => {
    script = () => fault('AccessDeniedException')
    expect(await words(callsWith().decrypt(key, Buffer.from('x')))).toContain('kms:Decrypt')
    expect(await callsWith().describe(key)).toBe(undefined)
    script = () => fault('NotFoundException')
    expect(await words(callsWith().describe('alias/no'))).toContain('there is no KMS key alias/no')
    script = () => ({ body: { KeyMetadata: { Arn: key, KeyId: 'x' } } })
    expect(await callsWith().describe('alias/yes')).toBe(key)
  })

  it.each<[string, Next]>([
    ['throttled', fault('ThrottlingException')],
    ['answered with 500', { status: 500, body: '' }],
    ['cut', 'cut'],
  ])('that is %s is made again', async (_, first) => {
    script = (n) => (n < 3 ? first : encrypted)
    expect((await encrypt()).keyArn).toBe(key)
    expect(asked).toHaveLength(3)
  })

  it.each<[string, Next, string]>([
    ['throttled', fault('ThrottlingException'), 'KMS is busy'],
    ['cut', 'cut', 'cannot be reached (ECONNRESET)'],
    ['answered by something else', { status: 403, body: '<html>canary</html>' }, 'failed ('],
    ['answered with something else', { body: '<html>canary</html>' }, 'failed ('],
    ['answered without what was asked for', { body: {} }, 'without what was asked for'],
  ])('that is always %s fails with words', async (_, next, why) => {
    script = () => next
    expect(await words(encrypt())).toContain(why)
  })

  it('that is never answered ends at its deadline', async () => {
    const clock = new FakeClock()
    script = () => 'silence'
    const there = new Promise<void>((done) => (noticed = done))
    const failing = words(callsWith({}, clock).encrypt(key, Buffer.from('x')))
    await there
    await clock.advance(20_000)
    expect(await failing).toContain(`KMS at ${endpoint} gave no answer to Encrypt in time`)
  })

  it('to where nobody listens, or no TLS is spoken, fails with words', async () => {
    const unused = createServer()
    await new Promise<void>((done) => unused.listen(0, '127.0.0.1', done))
    const address = unused.address()
    const port = address && typeof address === 'object' ? address.port : 0
    await new Promise((done) => unused.close(done))
    const refused = callsWith({ endpoint: `http://127.0.0.1:${port}` }).encrypt(key, Buffer.from('x'))
    expect(await words(refused)).toContain('cannot be reached (ECONNREFUSED)')
    const plain = callsWith({ endpoint: endpoint.replace('http:', 'https:') }).encrypt(key, Buffer.from('x'))
    expect(await words(plain)).toMatch(/cannot be reached \((EPROTO|ERR_SSL_\w+)\)/)
  })
})

describe('credentials and region', () => {
  const bare = (settings: Partial<KmsClientSettings> = {}) =>
    kmsCalls({ region: 'eu-central-1', endpoint, clock: systemClock, ...settings }).encrypt(key, Buffer.from('x'))
  const used = () => /Credential=(\w+)/.exec(String(asked.at(-1)?.headers['authorization']))?.[1]

  it('are looked for where AWS looks, and asked for when they are nowhere', async () => {
    expect(await words(bare())).toMatch(/no AWS credentials \(CredentialsProviderError\): set access_key/)
    expect(asked).toEqual([])
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIAENV')
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'canary')
    await bare()
    expect(used()).toBe('AKIAENV')
  })

  it('may stand in a profile, or in a file of their own; both are read at each call', async () => {
    const file = (text: string) => writeFileSync(join(folder, 'credentials'), text)
    expect(await words(bare({ profile: 'other' }))).toContain('no AWS credentials')
    file('[other]\naws_access_key_id = AKIAOTHER\naws_secret_access_key = canary\n')
    await bare({ profile: 'other' })
    expect(used()).toBe('AKIAOTHER')
    const path = join(folder, 'own')
    const own = { credentials: async () => readSharedCredentials(path, 'default') }
    expect(await words(bare(own))).toContain(`the file ${path} cannot be read`)
    writeFileSync(path, '[default]\naws_access_key_id = AKIAOWN\naws_secret_access_key = canary\n')
    await bare(own)
    expect(used()).toBe('AKIAOWN')
    file('')
  })

  it('are refused when there is no region', async () => {
    const calls = kmsCalls({ endpoint, credentials, clock: systemClock })
    expect(await words(calls.encrypt('alias/coffer', Buffer.from('x')))).toContain('no region is known: set region')
    vi.stubEnv('AWS_REGION', 'eu-west-3')
    await calls.encrypt('alias/coffer', Buffer.from('x'))
    expect(asked[0]?.headers['authorization']).toContain('/eu-west-3/kms/')
  })
})
