import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../../lib/fake-clock.ts'
import { parseHcl } from '../../../lib/hcl/parse.ts'
import { silentLog } from '../../../lib/log.ts'
import { systemRandom } from '../../../lib/random.ts'
import { openSeals } from './open-seals.ts'
import { readSealStanzas } from './seal-stanza.ts'

const lines: string[] = []
const keep = (event: string, fields: object = {}) => void lines.push(`${event} ${JSON.stringify(fields)}`)
const log = { ...silentLog, warn: keep }

const read = (text: string) => readSealStanzas(parseHcl(text))
const open = (text: string, env: Record<string, string> = {}) =>
  openSeals(read(text), {
    env,
    clock: new FakeClock(),
    random: systemRandom,
    log,
    signal: new AbortController().signal,
  })
const stanza = (inner: string) => `seal "awskms" {\n${inner}\n}`
const arn = 'arn:aws:kms:eu-west-1:123456789012:key/11111111-0000-0000-0000-000000000000'

describe('the stanza of AWS KMS', () => {
  it('takes what Vault takes; an empty text is an absent one', () => {
    const text = stanza(`
      region = "eu-west-1"
      kms_key_id = "alias/coffer"
      endpoint = ""
      access_key = "env://A"
      secret_key = "file:///s"
      session_token = "t"
      name = "primary"
      disabled = "true"`)
    expect(read(text).from).toEqual({
      kind: 'awskms',
      region: 'eu-west-1',
      keyId: 'alias/coffer',
      accessKey: 'env://A',
      secretKey: 'file:///s',
      sessionToken: 't',
      name: 'primary',
    })
  })

  it.each([
    ['role_arn = "arn:aws:iam::1:role/x"', 'set AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE'],
    ['web_identity_token_file = "/t"', 'set AWS_ROLE_ARN'],
    ['role_session_name = "x"', 'set AWS_ROLE_ARN'],
    ['priority = "1"', 'one seal at a time'],
    ['colour = "red"', 'unknown key "colour" in seal "awskms"'],
    ['access_key = "a"', 'access_key and secret_key belong together'],
    ['secret_key = "canary"', 'access_key and secret_key belong together'],
    ['session_token = "canary"', 'session_token needs access_key and secret_key'],
    ['access_key = "a"\nsecret_key = "canary"\nshared_creds_filename = "/f"', 'not in both'],
    ['region = 5', '"region" must be a string'],
  ])('%s is refused', (inner, why) => {
    expect(() => read(stanza(inner))).toThrow(why)
    expect(() => read(stanza(inner))).not.toThrow('canary')
  })
})

describe('the seal of AWS KMS', () => {
  it('takes its key from the environment before the stanza, as Vault does', () => {
    expect(open(stanza('kms_key_id = "one"')).current?.keyId()).toBe('one')
    expect(open(stanza('kms_key_id = "one"'), { VAULT_AWSKMS_SEAL_KEY_ID: 'two' }).current?.keyId()).toBe('two')
    expect(open(stanza('kms_key_id = "one"'), { BAO_AWSKMS_SEAL_KEY_ID: 'two' }).current?.keyId()).toBe('two')
    const both = { VAULT_AWSKMS_SEAL_KEY_ID: 'two', AWSKMS_WRAPPER_KEY_ID: 'three' }
    expect(open(stanza(''), both).current?.keyId()).toBe('three')
  })

  it('is chosen by the environment alone, but not again while it is migrated away from', () => {
    const env = { VAULT_SEAL_TYPE: 'awskms', VAULT_AWSKMS_SEAL_KEY_ID: 'k' }
    expect(open('', env).current?.type).toBe('awskms')
    const { current, from } = open(stanza('disabled = "true"'), env)
    expect([current, from?.type]).toEqual([undefined, 'awskms'])
    expect(open('', { VAULT_SEAL_TYPE: 'shamir' })).toEqual({})
    expect(() => open('', { VAULT_SEAL_TYPE: 'gcpckms' })).toThrow('VAULT_SEAL_TYPE is "gcpckms"')
  })

  it.each([
    ['', {}, 'needs kms_key_id, there or in VAULT_AWSKMS_SEAL_KEY_ID'],
    [
      `kms_key_id = "${arn}"`,
      { AWS_REGION: 'us-east-1' },
      `the region is us-east-1, but the key ${arn} is in eu-west-1`,
    ],
    ['kms_key_id = "k"\nendpoint = "https://u:canary@kms.example"', {}, 'endpoint (or AWS_KMS_ENDPOINT) must be'],
    ['kms_key_id = "k"', { AWS_KMS_ENDPOINT: 'ftp://kms.example' }, 'endpoint (or AWS_KMS_ENDPOINT) must be'],
    ['kms_key_id = "k"\naccess_key = "env://NO"\nsecret_key = "canary"', {}, 'access_key: the environment has no NO'],
    [
      'kms_key_id = "k"\naccess_key = "a"\nsecret_key = "file:///no/such/canary-free"',
      {},
      'secret_key: the file /no/such/canary-free cannot be read',
    ],
  ])('with %s and %j is refused, and no credential named', (inner, env, why) => {
    expect(() => open(stanza(inner), env)).toThrow(why)
    expect(() => open(stanza(inner), env)).not.toThrow('canary@')
    expect(() => open(stanza(inner), env)).not.toThrow('"canary"')
  })

  it('warns of an endpoint without TLS, and takes one without a scheme as https', () => {
    open(stanza('kms_key_id = "k"\nendpoint = "vpce-1.kms.eu-west-1.vpce.amazonaws.com"'))
    expect(lines).toEqual([])
    open(stanza('kms_key_id = "k"\nendpoint = "http://127.0.0.1:1"'))
    expect(lines).toEqual([expect.stringMatching(/without TLS.*http:\/\/127\.0\.0\.1:1/)])
  })
})
