import { describe, expect, it } from 'vitest'
import { parseHcl } from '../../../lib/hcl/parse.ts'
import { type Pkcs11Stanza, pkcs11SettingsOf } from './pkcs11-stanza.ts'
import { readSealStanzas } from './seal-stanza.ts'

const least = 'lib = "/hsm.so"\n token_label = "coffer"\n pin = "1234"\n key_label = "root"\n'

function read(body: string): Pkcs11Stanza {
  const { current, from } = readSealStanzas(parseHcl(`seal "pkcs11" {\n ${body}\n}`))
  const stanza = current ?? from
  if (stanza?.kind !== 'pkcs11') throw new Error('no such stanza')
  return stanza
}
const settings = (body: string, env: Record<string, string> = {}) => pkcs11SettingsOf(read(body), env)

describe('the seal "pkcs11"', () => {
  it('needs a library, a token, a PIN and a key', () => {
    expect(settings(least)).toEqual({
      place: { library: '/hsm.so', label: 'coffer', readWrite: false },
      pin: '1234',
      key: { label: 'root' },
      oaepHash: 'sha256',
      encryptLocally: true,
    })
  })

  it('takes all of its settings as Vault and OpenBao name them, and false for a key that Vault would make', () => {
    const all = `lib = "/hsm.so" slot = "0x2000000000000001" pin = "1234" key_id = "0x0A0b" mechanism = "0x0009"
      rsa_oaep_hash = "SHA512" rsa_encrypt_local = "false" force_rw_session = "true" generate_key = "false"`
    expect(settings(all)).toEqual({
      place: { library: '/hsm.so', slot: '2305843009213693953', readWrite: true },
      pin: '1234',
      key: { id: '0a0b' },
      mechanism: 'CKM_RSA_PKCS_OAEP',
      oaepHash: 'sha512',
      encryptLocally: false,
    })
    expect(settings(`${least} slot = 0 disable_software_encryption = true mechanism = 4231`)).toMatchObject({
      place: { slot: '0', label: 'coffer' },
      mechanism: 'CKM_AES_GCM',
      encryptLocally: false,
    })
    expect(settings(`${least} rsa_encrypt_local = true disable_software_encryption = false`).encryptLocally).toBe(true)
  })

  it('can be the one that is left behind', () => {
    expect(readSealStanzas(parseHcl(`seal "pkcs11" {\n ${least} disabled = "true"\n}`)).from?.kind).toBe('pkcs11')
  })

  it('goes by the environment first, under three prefixes', () => {
    const env = {
      VAULT_HSM_LIB: '/vault.so',
      BAO_HSM_SLOT: '5',
      COFFER_HSM_PIN: '9999',
      VAULT_HSM_PIN: '8888',
      BAO_HSM_KEY_LABEL: 'other',
      BAO_HSM_KEY_ID: '0x01',
      VAULT_HSM_TOKEN_LABEL: 'spare',
      VAULT_HSM_MECHANISM: 'CKM_AES_GCM',
      BAO_HSM_RSA_OAEP_HASH: 'sha1',
      VAULT_HSM_FORCE_RW_SESSION: 'true',
      VAULT_HSM_RSA_ENCRYPT_LOCAL: 'false',
    }
    expect(settings(least, env)).toEqual({
      place: { library: '/vault.so', slot: '5', label: 'spare', readWrite: true },
      pin: '9999',
      key: { label: 'other', id: '01' },
      mechanism: 'CKM_AES_GCM',
      oaepHash: 'sha1',
      encryptLocally: false,
    })
    expect(pkcs11SettingsOf({ kind: 'pkcs11', settings: {} }, env).place.library).toBe('/vault.so')
  })

  it.each([
    ['token_label = "t" pin = "1" key_label = "k"', 'needs lib, there or in VAULT_HSM_LIB'],
    ['lib = "/l" pin = "1" key_label = "k"', 'needs slot or token_label'],
    ['lib = "/l" token_label = "t" key_label = "k"', 'needs pin, there or in VAULT_HSM_PIN'],
    ['lib = "/l" token_label = "t" pin = "1"', 'needs key_label or key_id'],
    [`${least} slot = "first"`, 'slot is "first"; a number is accepted'],
    [`${least} key_id = "0x123"`, 'key_id is "0x123"; bytes in hex are accepted'],
    [`${least} mechanism = "CKM_AES_CBC_PAD"`, 'mechanism is "CKM_AES_CBC_PAD"; CKM_AES_GCM (0x1087) and'],
    [`${least} mechanism = "0x1085"`, 'they alone show that nothing was altered'],
    [`${least} rsa_oaep_hash = "md5"`, 'accepted are sha1, sha224, sha256, sha384, sha512'],
    [`${least} force_rw_session = "perhaps"`, 'force_rw_session is "perhaps"; true and false are accepted'],
    [`${least} generate_key = "true"`, 'generate_key is not supported: make the key'],
    [`${least} rsa_encrypt_local = true disable_software_encryption = true`, 'contradict each other'],
    [`${least} hmac_key_label = "h"`, 'need no key for an HMAC'],
    [`${least} default_key_label = "d"`, 'says which key wrapped it'],
    [`${least} max_parallel = 4`, 'one thing at a time'],
    [`${least} slot = 1.5`, '"slot" must be a string'],
    [`${least} slot = 2305843009213693953`, '"slot" must be a string'],
    [`${least} colour = "red"`, 'colour'],
  ])('%s is refused', (body, why) => {
    expect(() => settings(body)).toThrow(why)
  })

  it.each(['HMAC_KEY_LABEL', 'HMAC_KEY_ID', 'HMAC_MECHANISM', 'DEFAULT_KEY_LABEL', 'HMAC_DEFAULT_KEY_LABEL'])(
    'VAULT_HSM_%s is refused too, as it would be ignored',
    (name) => {
      expect(() => settings(least, { [`VAULT_HSM_${name}`]: 'x' })).toThrow(`VAULT_HSM_${name} is not supported`)
    },
  )

  it.each(['slot', 'key_id', 'mechanism', 'force_rw_session'])('a mistake in %s tells no PIN', (name) => {
    const body = `lib = "/l" token_label = "t" pin = "canary" key_label = "k" ${name} = "wrong!"`
    expect(() => settings(body)).toThrow(name)
    expect(() => settings(body)).not.toThrow('canary')
  })
})
