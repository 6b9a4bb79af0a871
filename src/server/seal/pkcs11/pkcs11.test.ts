import { describe, expect, it } from 'vitest'
import { systemRandom } from '../../../lib/random.ts'
import { oaepHashes, tokenFlag } from './cryptoki.ts'
import { aesObject, FakeCryptoki, type FakeToken, fakeToken, rsaObjects } from './fake-cryptoki.ts'
import { type Pkcs11Settings, pkcs11Seal } from './pkcs11.ts'
import { TokenFault } from './token-fault.ts'
import { decodeAnswer } from './token-message.ts'
import { answerTokenRequest } from './token-work.ts'

const root = Buffer.from(systemRandom(32))

/** The seal and its token, without the process between them. */
function sealOf(
  tokens: FakeToken[],
  more: Partial<Pkcs11Settings> & { pin?: () => string; library?: string; prepare?: (fake: FakeCryptoki) => void } = {},
) {
  const { pin = () => '4321', library = '/hsm.so', prepare, ...settings } = more
  const visits: FakeCryptoki[] = []
  const messages: Buffer[] = []
  const ask = async (message: Buffer) => {
    messages.push(Buffer.from(message))
    const fake = new FakeCryptoki(...tokens)
    prepare?.(fake)
    visits.push(fake)
    const answer = decodeAnswer(answerTokenRequest(message, () => fake))
    if (!answer) throw new Error('half an answer')
    if ('bytes' in answer) return Buffer.from(answer.bytes)
    throw new TokenFault(answer.fault, { pin: answer.pin })
  }
  const seal = pkcs11Seal({
    settings: {
      place: { library, label: 'coffer', readWrite: false },
      key: { label: 'root' },
      oaepHash: 'sha256',
      encryptLocally: true,
      ...settings,
    },
    pin,
    ask,
    random: systemRandom,
  })
  return { seal, visits, messages, logins: () => visits.flatMap(({ calls }) => calls).filter((c) => c === 'C_Login') }
}

const withAes = (more: Partial<FakeToken> = {}) => [fakeToken({ objects: [aesObject()], ...more })]

describe('the seal of a token', () => {
  it('wraps with the AES key and opens again, each time another blob', async () => {
    const { seal, visits } = sealOf(withAes())
    const one = await seal.wrap(root)
    const two = await seal.wrap(root)
    expect([seal.type, seal.automatic, seal.keyId(), one.keyId]).toEqual([
      'pkcs11',
      true,
      'pkcs11:object=root',
      'pkcs11:object=root',
    ])
    expect(Buffer.from(one.blob).equals(Buffer.from(two.blob))).toBe(false)
    expect(Buffer.from(one.blob).includes(root)).toBe(false)
    expect(Buffer.from(await seal.unwrap(one.blob, one.keyId))).toEqual(root)
    await seal.check()
    for (const { calls } of visits)
      expect(calls.slice(-4)).toEqual(['C_Logout', 'C_CloseSession', 'C_Finalize', 'close'])
  })

  it.each(Object.keys(oaepHashes) as (keyof typeof oaepHashes)[])('wraps with an RSA pair and %s', async (oaepHash) => {
    const tokens = [fakeToken({ objects: rsaObjects() })]
    for (const encryptLocally of [true, false]) {
      const { seal, visits } = sealOf(tokens, { key: { label: 'pair' }, oaepHash, encryptLocally })
      const { blob, keyId } = await seal.wrap(root)
      expect(visits[0]?.calls.includes('C_Encrypt')).toBe(!encryptLocally)
      expect(Buffer.from(await seal.unwrap(blob, keyId))).toEqual(root)
    }
  })

  it('opens what another hash or mechanism wrapped: the blob says which', async () => {
    const tokens = [fakeToken({ objects: [...rsaObjects(), aesObject({ label: 'pair', id: '03' })] })]
    const key = { label: 'pair' }
    const before = await sealOf(tokens, { key, oaepHash: 'sha1', mechanism: 'CKM_RSA_PKCS_OAEP' }).seal.wrap(root)
    const { seal } = sealOf(tokens, { key, mechanism: 'CKM_AES_GCM' })
    expect(Buffer.from(await seal.unwrap(before.blob, before.keyId))).toEqual(root)
  })

  it('needs no public key on the token, and says so where it does', async () => {
    const tokens = [fakeToken({ objects: rsaObjects().slice(0, 1) })]
    const { seal } = sealOf(tokens, { key: { label: 'pair' } })
    const { blob, keyId } = await seal.wrap(root)
    expect(Buffer.from(await seal.unwrap(blob, keyId))).toEqual(root)
    const onToken = sealOf(tokens, { key: { label: 'pair' }, encryptLocally: false })
    await expect(onToken.seal.wrap(root)).rejects.toThrow('set rsa_encrypt_local = true')
  })

  it('opens with the key that wrapped, when the configuration names its successor', async () => {
    const objects = [aesObject(), aesObject({ label: 'next', id: '09', secret: Buffer.alloc(32, 4) })]
    const before = await sealOf([fakeToken({ objects })]).seal.wrap(root)
    const { seal } = sealOf([fakeToken({ objects })], { key: { label: 'next', id: '09' } })
    expect(seal.keyId()).toBe('pkcs11:object=next;id=%09')
    expect(Buffer.from(await seal.unwrap(before.blob, before.keyId))).toEqual(root)
    // The key was given another label since.
    const renamed = sealOf([fakeToken({ objects: [aesObject({ label: 'next', id: '09' })] })], {
      key: { label: 'next' },
    })
    expect(Buffer.from(await renamed.seal.unwrap(before.blob, before.keyId))).toEqual(root)
  })

  it('opens when its name has become that of several, as soon as the configuration says which', async () => {
    const before = await sealOf(withAes()).seal.wrap(root)
    const objects = [aesObject({ secret: Buffer.alloc(32, 8), id: '08' }), aesObject()]
    const unsaid = sealOf([fakeToken({ objects })])
    await expect(unsaid.seal.unwrap(before.blob, before.keyId)).rejects.toThrow('say which one by key_id')
    const said = sealOf([fakeToken({ objects })], { key: { label: 'root', id: '01' } })
    expect(Buffer.from(await said.seal.unwrap(before.blob, before.keyId))).toEqual(root)
  })

  it('opens when its name has become that of another key, and the configuration names it anew', async () => {
    const before = await sealOf(withAes()).seal.wrap(root)
    const objects = [aesObject({ secret: Buffer.alloc(32, 8), id: '08' }), aesObject({ label: 'former' })]
    const { seal } = sealOf([fakeToken({ objects })], { key: { label: 'former' } })
    expect(Buffer.from(await seal.unwrap(before.blob, before.keyId))).toEqual(root)
  })

  it('takes the nonce of a token that insists on its own', async () => {
    const { seal } = sealOf(withAes(), { prepare: (fake) => (fake.ownNonce = Buffer.alloc(12, 9)) })
    const { blob, keyId } = await seal.wrap(root)
    expect(Buffer.from(await seal.unwrap(blob, keyId))).toEqual(root)
  })

  it('gives out no wrapped key that does not open', async () => {
    const other = sealOf(withAes(), {
      prepare: (fake) => {
        const right = fake.C_Decrypt.bind(fake)
        fake.C_Decrypt = (...args) => {
          const plain = right(...args)
          plain[0] = (plain[0] ?? 0) ^ 1
          return plain
        }
      },
    })
    await expect(other.seal.wrap(root)).rejects.toThrow('decrypts to something else than it encrypted')
  })

  it('opens read-write sessions only where that is asked for', async () => {
    const place = { library: '/hsm.so', label: 'coffer' }
    const plain = sealOf(withAes(), { place: { ...place, readWrite: false } })
    const forced = sealOf(withAes(), { place: { ...place, readWrite: true } })
    for (const { seal } of [plain, forced]) await seal.check()
    expect(plain.visits[0]?.calls).toContain('C_OpenSession 4')
    expect(forced.visits[0]?.calls).toContain('C_OpenSession 6')
  })
})

describe('a PIN', () => {
  it('that is wrong is tried once, until there is another', async () => {
    let pin = 'canary-pin'
    const { seal, logins } = sealOf(withAes(), { pin: () => pin })
    const failures = await Promise.allSettled([seal.wrap(root), seal.wrap(root), seal.check()])
    const texts = failures.map((each) => (each.status === 'rejected' ? String(each.reason) : 'done'))
    expect(texts[0]).toContain('the PIN is wrong (CKR_PIN_INCORRECT)')
    expect(texts[1]).toContain('It is not tried again')
    expect(texts[2]).toContain('It is not tried again')
    expect(texts.join()).not.toContain('canary-pin')
    expect(logins()).toHaveLength(1)
    pin = '4321'
    await seal.check()
    expect(logins()).toHaveLength(2)
  })

  it.each([
    ['userPinFinalTry', 'would lock itself if the PIN were wrong once more'],
    ['userPinLocked', 'is locked'],
  ] as const)('is not tried when the token says %s, and is when that is over', async (flag, why) => {
    const tokens = withAes({ flags: tokenFlag[flag] })
    const { seal, logins } = sealOf(tokens)
    await expect(seal.check()).rejects.toThrow(why)
    expect(logins()).toHaveLength(0)
    for (const token of tokens) token.flags = 0
    await seal.check()
    expect(logins()).toHaveLength(1)
  })

  it.each(['CKR_PIN_LOCKED', 'CKR_PIN_EXPIRED', 'CKR_PIN_LEN_RANGE', 'CKR_PIN_INVALID'])(
    'that the token refuses with %s is not tried again either',
    async (fault) => {
      const { seal, logins } = sealOf(withAes(), { prepare: (fake) => (fake.faults = { C_Login: fault }) })
      await expect(seal.check()).rejects.toThrow(fault)
      await expect(seal.check()).rejects.toThrow('not tried again')
      expect(logins()).toHaveLength(1)
    },
  )

  it('that is empty, as a file that is being written is, is not tried', async () => {
    let pin = ''
    const { seal, logins, visits } = sealOf(withAes(), { pin: () => pin })
    await expect(seal.wrap(root)).rejects.toThrow('the PIN is empty, so it was not tried')
    expect(visits).toEqual([])
    pin = '4321'
    await seal.wrap(root)
    expect(logins()).toHaveLength(1)
  })

  it('is zeroed with the root key when the token was asked', async () => {
    const sent: Buffer[] = []
    const ask = async (message: Buffer) => {
      expect(message.includes('4321')).toBe(true)
      expect(message.includes(root)).toBe(true)
      sent.push(message)
      throw new TokenFault('away')
    }
    const place = { library: '/hsm.so', label: 'coffer', readWrite: false }
    const settings = { place, key: { label: 'root' }, oaepHash: 'sha256', encryptLocally: true } as const
    const seal = pkcs11Seal({ settings, pin: () => '4321', ask, random: systemRandom })
    await expect(seal.wrap(root)).rejects.toThrow('away')
    expect(sent[0]?.every((byte) => byte === 0)).toBe(true)
  })

  it('is not needed where the session is logged in already', async () => {
    const { seal } = sealOf(withAes(), {
      prepare: (fake) => (fake.faults = { C_Login: 'CKR_USER_ALREADY_LOGGED_IN' }),
    })
    await seal.check()
  })
})

describe('what fails is said, with status 500 and no retry of its own', () => {
  const other = aesObject({ secret: Buffer.alloc(32, 8), id: '08' })
  it.each<[string, FakeToken[], Parameters<typeof sealOf>[1], string]>([
    [
      'no library',
      withAes(),
      { library: '/missing.so' },
      'library /missing.so cannot be loaded: /missing.so: cannot open',
    ],
    ['no token', [], {}, 'there is no token labelled "coffer"; present: none'],
    ['another token', withAes({ label: 'spare' }), {}, 'present: "spare" in slot 7'],
    [
      'two tokens of one name',
      [...withAes(), ...withAes({ slot: 8 } as Partial<FakeToken>)],
      {},
      'there are 2 tokens labelled "coffer": give the slot too',
    ],
    [
      'the token in another slot',
      withAes(),
      { place: { library: '/hsm.so', slot: '9', label: 'coffer', readWrite: false } },
      'no token in slot 9 labelled "coffer"',
    ],
    ['no key', [fakeToken()], {}, 'the token has no key labelled "root": Coffer makes none'],
    [
      'two keys',
      [fakeToken({ objects: [aesObject(), other] })],
      {},
      'the token has 2 keys labelled "root": say which one by key_id',
    ],
    [
      'an id that no key has',
      withAes(),
      { key: { label: 'root', id: '77' } },
      'no key labelled "root" with the id 0x77',
    ],
    ['a key that may not encrypt', [fakeToken({ objects: [aesObject({ encrypt: false })] })], {}, 'may not encrypt'],
    ['a key that may not decrypt', [fakeToken({ objects: [aesObject({ decrypt: false })] })], {}, 'may not decrypt'],
    ['a key of another kind', [fakeToken({ objects: [aesObject({ keyType: 0x13 })] })], {}, 'is no AES key'],
    ['a mechanism for other keys', withAes(), { mechanism: 'CKM_RSA_PKCS_OAEP' }, 'is none for CKM_RSA_PKCS_OAEP: AES'],
    [
      'a short RSA key',
      [fakeToken({ objects: rsaObjects(1024) })],
      { key: { label: 'pair' } },
      'has 1024 bits, and at least 2048',
    ],
  ])('%s', async (_name, tokens, more, why) => {
    const failure = await sealOf(tokens, more)
      .seal.wrap(root)
      .catch((error: unknown) => error)
    expect(failure).toMatchObject({ name: 'Refusal', status: 500, message: expect.stringContaining(why) })
  })

  it('two keys of one label are told apart by their id', async () => {
    const { seal } = sealOf([fakeToken({ objects: [aesObject(), other] })], { key: { label: 'root', id: '08' } })
    await seal.check()
  })

  it.each([
    ['C_Initialize', 'CKR_GENERAL_ERROR', 'C_Initialize of the PKCS#11 library failed: CKR_GENERAL_ERROR'],
    ['C_OpenSession', 'CKR_TOKEN_NOT_PRESENT', 'opening a session failed: the token does not answer'],
    ['C_OpenSession', 'CKR_SESSION_COUNT', 'too many sessions'],
    ['C_FindObjects', 'CKR_DEVICE_REMOVED', 'looking for the key failed: the token does not answer'],
    ['C_EncryptInit', 'CKR_MECHANISM_INVALID', 'choose another mechanism'],
    ['C_Encrypt', 'CKR_SESSION_HANDLE_INVALID', 'encrypting failed: the token ended the session'],
    ['C_DecryptInit', 'CKR_KEY_FUNCTION_NOT_PERMITTED', 'may not be used for this'],
    ['C_Encrypt', 'canary of the library', 'encrypting failed'],
  ])('%s: %s', async (call, fault, why) => {
    let away = true
    const { seal } = sealOf(withAes(), { prepare: (fake) => (fake.faults = away ? { [call]: fault } : {}) })
    const failure = await seal.wrap(root).catch((error: unknown) => String(error))
    expect(failure).toContain(why)
    expect(failure).not.toContain('canary')
    // The token is back: nothing has to be restarted.
    away = false
    await seal.check()
  })

  it.each(['C_Logout', 'C_CloseSession', 'C_Finalize', 'close'])('%s that fails changes nothing', async (call) => {
    await sealOf(withAes(), { prepare: (fake) => (fake.faults = { [call]: 'CKR_DEVICE_ERROR' }) }).seal.check()
  })

  it.each(['', 'shamir', 'pkcs11:', 'pkcs11:object=%', 'pkcs11:id=01', 'pkcs11:id=%zz', 'pkcs11:slot=1'])(
    'a row that says %j wrapped it is refused by that name, and the token is not asked',
    async (id) => {
      const { seal, visits } = sealOf(withAes())
      const { blob } = await seal.wrap(root)
      await expect(seal.unwrap(blob, id)).rejects.toThrow(`was wrapped by "${id}", which is no key of a token`)
      expect(visits).toHaveLength(1)
    },
  )

  it('another key under the same name does not open', async () => {
    const { blob, keyId } = await sealOf(withAes()).seal.wrap(root)
    const { seal } = sealOf([fakeToken({ objects: [aesObject({ secret: Buffer.alloc(32, 8) })] })])
    await expect(seal.unwrap(blob, keyId)).rejects.toThrow('does not open the root key (CKR_ENCRYPTED_DATA_INVALID)')
  })

  it('a blob that was altered, in any byte, does not open', async () => {
    const { seal } = sealOf(withAes())
    const { blob, keyId } = await seal.wrap(root)
    for (let i = 0; i < blob.length; i += 1) {
      const altered = Buffer.from(blob)
      altered[i] = (altered[i] ?? 0) ^ 1
      await expect(seal.unwrap(altered, keyId), `byte ${i}`).rejects.toThrow(/damaged|does not open|no key|none for/)
    }
    await expect(seal.unwrap(Buffer.alloc(0), keyId)).rejects.toThrow('damaged')
    await expect(seal.unwrap(blob, 'transit/root')).rejects.toThrow('which is no key of a token')
  })
})
