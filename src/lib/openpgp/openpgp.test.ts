import { createDecipheriv } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { systemRandom } from '../random.ts'
import fixtures from './gpg-keys.json' with { type: 'json' }
import { readPublicKey } from './keys/public-key.ts'
import { wrapKey } from './message/key-wrap.ts'
import { agree25519 } from './message/montgomery.ts'
import { x25519Kek } from './message/x25519.ts'
import { encryptTo, OpenpgpProblem, readEncryptionKey } from './openpgp.ts'
import { encodeInteger } from './packets/integer.ts'
import { encodePacket, readPackets } from './packets/packet.ts'
import { decrypt, decryptX25519 } from './test-decrypt.ts'
import * as test from './test-key.ts'

const now = Date.UTC(2026, 10, 21)
const { keys } = fixtures
const read = (text: string, at = now) => readEncryptionKey(text, at)
const problem = (text: string, at = now): string => {
  try {
    read(text, at)
    return 'none'
  } catch (error) {
    if (error instanceof OpenpgpProblem) return error.message
    throw error
  }
}
const day = 86_400

describe('what is encrypted to a key that GnuPG made', () => {
  it.each(['rsa', 'curve25519', 'p256', 'p384', 'p521', 'dsa', 'newest', 'extended'] as const)(
    'is read by its holder: %s',
    (name) => {
      const key = read(keys[name].public)
      for (const text of ['ü', 'a'.repeat(66), 'long '.repeat(5000)]) {
        const message = encryptTo(key, Buffer.from(text), systemRandom)
        expect(decrypt(message, keys[name].secret)).toBe(text)
        expect(message.includes(text.slice(0, 20))).toBe(false)
      }
    },
  )

  it('is another message each time', () => {
    const key = read(keys.curve25519.public)
    const [a, b] = [1, 2].map(() => encryptTo(key, Buffer.from('same'), systemRandom).toString('hex'))
    expect(a).not.toBe(b)
  })

  it('goes to the newest subkey', () => {
    const message = encryptTo(read(keys.newest.public), Buffer.from('x'), systemRandom)
    // Version 3, eight bytes of key id, then the algorithm: RSA is the newer one.
    expect(message[3 + 1 + 8]).toBe(1)
    expect(encryptTo(read(keys.newest.public, Date.UTC(2026, 0, 15)), Buffer.from('x'), systemRandom)[2 + 1 + 8]).toBe(
      18,
    )
  })

  it.each([
    ['brainpool', 'elliptic curve is not accepted'],
    ['elgamal', 'nothing is encrypted to ElGamal here'],
    ['signonly', 'the primary key is not for encryption'],
    ['expired', 'expired on 2026-03-01'],
    ['deadprimary', 'it expired on 2026-03-01'],
    ['revoked', 'it was revoked'],
    ['subrevoked', 'was revoked; the primary key is not for encryption'],
  ] as const)('is refused: %s', (name, words) => {
    expect(problem(keys[name].public)).toContain(words)
  })

  it('is possible until the key expires, however often that was put off', () => {
    expect(problem(keys.expired.public, Date.UTC(2026, 1, 28))).toBe('none')
    expect(problem(keys.extended.public, Date.UTC(2029, 11, 31))).toBe('none')
    expect(problem(keys.extended.public, Date.UTC(2030, 0, 2))).toBe('it expired on 2030-01-01')
    expect(problem(keys.rsa.public, Date.UTC(2025, 11, 31))).toContain('no signature of its own is valid')
  })
})

describe('vectors', () => {
  it('of RFC 3394: keys that wrap keys', () => {
    const hex = (text: string) => Buffer.from(text, 'hex')
    const wrapped = wrapKey(hex('000102030405060708090A0B0C0D0E0F'), hex('00112233445566778899AABBCCDDEEFF'))
    expect(wrapped.toString('hex')).toBe('1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5')
    const long = wrapKey(
      hex('000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F'),
      hex('00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F'),
    )
    expect(long.toString('hex')).toBe(
      '28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21',
    )
  })

  it('of RFC 9580, A.1: the fingerprint of the sample key, which says nothing of itself', () => {
    const sample = 'xjMEU/NfCxYJKwYBBAHaRw8BAQdAPwmJlL3ZFu1AUxl5NOSofIBzOhKA1i+AEJkuQ+47JAY='
    const [packet] = readPackets(Buffer.from(sample, 'base64'))
    expect(readPublicKey(packet?.body ?? Buffer.alloc(0)).fingerprint).toBe('c959bdbafa32a2f89a153b678cfde12197965a9a')
    expect(problem(sample)).toBe('no signature of its own is valid')
  })

  it('of RFC 9580, A.4 and A.8: the key that wraps a session key for X25519', () => {
    const secret = Buffer.from('4d600a4f794d44775c57a26e0feefed558e9afffd6ad0d582d57fb2ba2dcedb8', 'hex')
    const recipient = Buffer.from('8693248367f9e5015db922f8f48095dda784987f2d5985b12fbad16caf5e4435', 'hex')
    const sample =
      'wV0GIQYSyD8ecG9jCP4VGkF3Q6HwM3kOk+mXhIjR2zeNqZMIhRmHzxjV8bU/gXzOWgBM85PMiVi93AZfJfhK9QmxfdNnZBjeo1VDeVZheQHgaVf7yopqR6W1FT6NOrfS'
    const [packet] = readPackets(Buffer.from(sample, 'base64').subarray(0, 95))
    const fields = Buffer.from(packet?.body ?? []).subarray(36)
    const ephemeral = fields.subarray(0, 32)
    const { ours, shared } = agree25519(secret, ephemeral)
    expect(ours).toEqual(recipient)
    const kek = x25519Kek({ ephemeral, recipient, shared })
    const cipher = createDecipheriv('id-aes128-wrap', kek, Buffer.alloc(8, 0xa6))
    // Unwrapping with another key fails, as the wrapping has a check of its own.
    const sessionKey = Buffer.concat([cipher.update(fields.subarray(33)), cipher.final()])
    expect(wrapKey(kek, sessionKey)).toEqual(fields.subarray(33))
  })

  it('of RFC 9580, 3.2: integers', () => {
    expect(Buffer.from(encodeInteger(Buffer.of(0, 1))).toString('hex')).toBe('000101')
    expect(Buffer.from(encodeInteger(Buffer.of(1, 0xff))).toString('hex')).toBe('000901ff')
    expect(Buffer.from(encodeInteger(Buffer.of(0, 0))).toString('hex')).toBe('0000')
  })
})

const signer = test.newKey('ed25519')
const sub = test.newKey('x25519')
/** A key that is all right, for what follows to change. */
const key = (...parts: Buffer[]) => test.asText(test.primary(signer), ...parts)
const self = test.user(signer, { subpackets: [test.flags(1)] })
const bound = test.subkey(signer, sub, [{}])

describe('a key of RFC 9580 in version 4', () => {
  it('is encrypted to with X25519', () => {
    const chosen = read(key(self, bound))
    expect(decryptX25519(encryptTo(chosen, Buffer.from('ä'), systemRandom), sub.privateKey)).toBe('ä')
    expect(read(key(test.direct(signer), bound))).toEqual(chosen)
  })
})

describe('a subkey is encrypted to only when the primary key', () => {
  const refused = (...said: Parameters<typeof test.subkey>[2]) => problem(key(self, test.subkey(signer, sub, said)))

  it('has bound it', () => {
    expect(refused()).toContain('is not bound by a valid signature of the primary key')
    const stranger = test.newKey('ed25519')
    expect(problem(key(self, test.subkey(signer, sub, [{}], stranger)))).toContain('is not bound')
    const other = test.subkey(signer, test.newKey('x25519'), [{}])
    const moved = Buffer.concat([encodePacket(14, sub.body), other.subarray(2 + sub.body.length)])
    expect(problem(key(self, moved))).toContain('is not bound')
    expect(refused({ type: 0x13 })).toContain('is not bound')
  })

  it('has not revoked it, whatever it signed since', () => {
    expect(refused({}, { type: 0x28 }, { created: test.made + day })).toContain('was revoked')
    expect(refused({}, { type: 0x28, hash: 2 })).toContain('was revoked')
    // What can't be verified here is not taken for nothing.
    expect(refused({}, { type: 0x28, hash: 3 })).toContain('was revoked')
    expect(problem(key(test.direct(signer, { type: 0x20, hash: 3 }), self, bound))).toBe('it was revoked')
    const stranger = test.newKey('ed25519')
    const foreign = test.subkey(signer, sub, [{ type: 0x28 }], stranger).subarray(2 + sub.body.length)
    expect(problem(key(self, bound, foreign))).toBe('none')
  })

  it('says that it is for encryption, in its newest word', () => {
    expect(refused({ subpackets: [test.flags(2)] })).toContain('is not for encryption')
    expect(refused({ subpackets: [test.flags(4)] })).toBe('none')
    expect(refused({ subpackets: [] })).toBe('none')
    expect(refused({ created: test.made + day, subpackets: [test.flags(2)] }, {})).toContain('is not for encryption')
  })

  it('lets it live', () => {
    expect(refused({ subpackets: [test.encrypts, test.keyLifetime(day)] })).toContain('expired on 2026-01-02')
    const longer = { created: test.made + 1, subpackets: [test.encrypts, test.keyLifetime(900 * day)] }
    expect(refused({ subpackets: [test.encrypts, test.keyLifetime(day)] }, longer)).toBe('none')
    expect(refused({ subpackets: [test.encrypts, test.lifetime(day)] })).toContain('is not bound')
    expect(refused({ created: now / 1000 + 7200 })).toContain('is not bound')
    expect(refused({ created: test.made - 1 })).toContain('is not bound')
  })

  it('signed with a hash that is good enough, and nothing critical that is unknown here', () => {
    expect(refused({ hash: 1 })).toContain('is not bound')
    expect(refused({ hash: 2 })).toContain('is not bound')
    expect(refused({ hash: 10 })).toBe('none')
    expect(refused({ subpackets: [test.encrypts, [0x80 | 100, Buffer.of(1)]] })).toContain('is not bound')
    expect(refused({ subpackets: [test.encrypts, [100, Buffer.of(1)]] })).toBe('none')
  })

  it('signed what counts: loose parts change nothing', () => {
    const said = { subpackets: [test.flags(2)], loose: [test.encrypts] }
    expect(refused(said)).toContain('is not for encryption')
  })
})

describe('SHA-1', () => {
  it('counts in signatures from before 2019-01-19 only', () => {
    const [old, cut] = [Date.UTC(2015, 0, 1) / 1000, Date.UTC(2019, 0, 19) / 1000]
    const [ancient, theirs] = [test.newKey('ed25519', old), test.newKey('x25519', old)]
    const at = (created: number) => {
      const said = { created, hash: 2 }
      return problem(test.asText(test.primary(ancient), test.user(ancient, said), test.subkey(ancient, theirs, [said])))
    }
    expect(at(cut - 1)).toBe('none')
    expect(at(cut)).toBe(
      'no signature of its own is valid: MD5 is not accepted, nor SHA-1 in signatures made after 2019-01-19',
    )
  })
})

describe('the primary key', () => {
  it('must have said something about itself, and not have taken it back', () => {
    expect(problem(key(bound))).toBe('no signature of its own is valid')
    const back = { type: 0x30, created: test.made + day }
    expect(problem(key(test.user(signer, {}, back), bound))).toBe('no signature of its own is valid')
    expect(problem(key(test.user(signer, back, { created: test.made + 2 * day }), bound))).toBe('none')
  })

  it('must not be revoked, by itself or by whom it named', () => {
    expect(problem(key(test.direct(signer, { type: 0x20 }), self, bound))).toBe('it was revoked')
    const stranger = test.newKey('ed25519')
    const named = test.direct(signer, { subpackets: [[12, Buffer.alloc(22, 0x80)]] })
    const foreign = test.direct(signer, { type: 0x20, loose: [[16, Buffer.alloc(8, 1)]] }, stranger)
    expect(problem(key(foreign, self, bound))).toBe('none')
    expect(problem(key(named, foreign, self, bound))).toContain('revoked by another key that it named')
  })

  it('must live', () => {
    expect(problem(key(test.user(signer, { subpackets: [test.keyLifetime(day)] }), bound))).toBe(
      'it expired on 2026-01-02',
    )
    const future = test.newKey('ed25519', now / 1000 + 7200)
    expect(problem(test.asText(test.primary(future), test.user(future, {})))).toContain('no signature of its own')
  })

  it('does not make the server verify without end', () => {
    const many = Array.from({ length: 130 }, (_, i) => test.direct(signer, { created: test.made + i }))
    expect(problem(key(...many, self, bound))).toBe('the key has more than 128 signatures of its own')
  })

  it('does not make the server hash without end', () => {
    const picture = encodePacket(17, Buffer.alloc(600_000))
    // Nothing that verifies: its digest is wrong.
    const said = test.direct(signer, { type: 0x13, loose: [[100, Buffer.alloc(1)]] })
    const long = key(self, bound, picture, ...Array.from({ length: 3000 }, () => said))
    expect(problem(long)).toBe('the key has more than 32 MiB to be verified')
    expect(problem(key(self, bound, picture, said))).toBe('none')
  })
})

describe('what is no usable public key is refused in words', () => {
  const primaryOf = (algorithm: number, material: Buffer, version = 4) =>
    test.asText(encodePacket(6, test.keyBody(algorithm, material, test.made, version)))
  const rsa = (modulus: Buffer, exponent = Buffer.of(1, 0, 1)) =>
    Buffer.concat([encodeInteger(modulus), encodeInteger(exponent)])

  it.each([
    ['keybase:someone', 'neither base64 nor ASCII armour'],
    ['', 'neither base64 nor ASCII armour'],
    ['AAAA', 'has no packet where one must begin'],
    [Buffer.of(0xc6, 0x20, 4).toString('base64'), 'the key ends too early'],
    [Buffer.of(0xc6, 0xe1, 4, 4).toString('base64'), 'a packet in parts'],
    [Buffer.of(0x9b, 4).toString('base64'), 'a packet without a length'],
    [Buffer.of(0xc2, 1, 4).toString('base64'), 'this is no OpenPGP public key'],
    [primaryOf(1, Buffer.alloc(0), 3), 'keys of version 3 are not accepted'],
    [primaryOf(27, Buffer.alloc(32), 6), 'keys of version 6 are not accepted'],
    [primaryOf(1, rsa(Buffer.alloc(128, 0xff))), 'an RSA key of 1024 bits is not accepted, only from 2048 to 8192'],
    [primaryOf(1, rsa(Buffer.alloc(2048, 0xff))), 'an RSA key of 16384 bits is not accepted'],
    [primaryOf(1, rsa(Buffer.alloc(256, 0xfe))), 'RSA numbers are not those of a key'],
    [primaryOf(1, rsa(Buffer.alloc(256, 0xff), Buffer.of(1))), 'RSA numbers are not those of a key'],
    [primaryOf(1, Buffer.of(8, 0, 1)), 'the RSA key ends too early'],
    [primaryOf(1, Buffer.of(0, 16, 1, 1)), 'a number whose length is wrong'],
    [primaryOf(28, Buffer.alloc(57)), 'its own signatures are Ed448, which is not accepted'],
    [primaryOf(99, Buffer.alloc(1)), 'its own signatures are algorithm 99, which is not accepted'],
    [primaryOf(27, Buffer.alloc(31)), 'its Ed25519 key is not of 32 bytes'],
    [keys.rsa.secret, 'this is a private key'],
    [`${'-----BEGIN PGP PRIVATE KEY BLOCK-----'}\n\nAAAA\n-----END`, 'this is a private key'],
    [key(self, bound, test.primary(signer)), 'there is more than one key in it: give one'],
    [key(encodePacket(11, Buffer.alloc(6))), 'a packet of type 11 has no place in a public key'],
  ])('%#', (text, words) => {
    expect(problem(text)).toContain(words)
  })

  it('points that are not on their curve, or of low order', () => {
    const withSub = (algorithm: number, material: Buffer) =>
      problem(key(self, test.subkey(signer, { body: test.keyBody(algorithm, material) }, [{}])))
    const ecdh = (oid: string, point: Buffer, kdf = [3, 1, 8, 7]) =>
      withSub(
        18,
        Buffer.concat([Buffer.of(oid.length / 2), Buffer.from(oid, 'hex'), encodeInteger(point), Buffer.from(kdf)]),
      )
    const [p256, cv25519] = ['2a8648ce3d030107', '2b060104019755010501']
    expect(ecdh(p256, Buffer.concat([Buffer.of(4), Buffer.alloc(64, 1)]))).toContain('is not on its curve')
    expect(ecdh(p256, Buffer.concat([Buffer.of(4), Buffer.alloc(63, 1)]))).toContain('is not well formed')
    expect(ecdh(cv25519, Buffer.concat([Buffer.of(0x40), Buffer.alloc(32)]))).toContain('low order')
    expect(ecdh(cv25519, Buffer.concat([Buffer.of(0x40), Buffer.alloc(32, 9)]))).toBe('none')
    expect(ecdh(cv25519, Buffer.concat([Buffer.of(0x40), Buffer.alloc(32, 9)]), [3, 1, 2, 7])).toContain('derive keys')
    expect(ecdh('2b06010401da470f01', Buffer.concat([Buffer.of(0x40), Buffer.alloc(32, 9)]))).toContain('Ed25519')
    expect(withSub(25, Buffer.alloc(32))).toContain('low order')
    expect(withSub(25, Buffer.alloc(31, 9))).toContain('is not of 32 bytes')
    expect(withSub(26, Buffer.alloc(56, 9))).toContain('nothing is encrypted to X448 here')
  })

  it('never ends in anything but a problem, whatever is changed in it', () => {
    const whole = Buffer.from(keys.curve25519.public, 'base64')
    let refused = 0
    for (let at = 0; at < whole.length; at += 1) {
      const broken = Buffer.from(whole)
      broken[at] = (broken[at] ?? 0) ^ 0x41
      if (problem(broken.toString('base64')) !== 'none') refused += 1
      problem(whole.subarray(0, at).toString('base64'))
    }
    // What may change is loose: the hint at who signed, and unused text.
    expect(refused).toBeGreaterThan(whole.length * 0.8)
  })
})

describe('armour', () => {
  const armoured = fixtures.armoured
  const same = (text: string) => expect(read(text)).toEqual(read(keys.curve25519.public))

  it('is taken as it is or in base64, with and without checksum and headers', () => {
    same(armoured)
    same(Buffer.from(armoured).toString('base64'))
    same(armoured.replaceAll('\n', '\r\n'))
    same(armoured.replace(/\n=\S{4}\n/, '\n'))
    same(armoured.replace('BLOCK-----\n', 'BLOCK-----\nVersion: x\nComment: a, b\n'))
  })

  it.each([
    [armoured.replace(/\n=\S{4}\n/, '\n=AAAA\n'), 'the checksum of the armour is wrong'],
    [armoured.replace('-----END PGP PUBLIC KEY BLOCK-----', ''), 'the armour does not end with'],
    [`${armoured}${armoured}`, 'there is more than one armour'],
    [armoured.replace('BLOCK-----\n\n', 'BLOCK-----\n'), 'no blank line'],
    [armoured.replace(/\n\n./, '\n\n*'), 'something else than base64'],
    [armoured.replaceAll('PUBLIC KEY BLOCK', 'MESSAGE'), 'the armour does not begin with'],
  ])('is refused when damaged (%#)', (text, words) => {
    expect(problem(text)).toContain(words)
  })
})
