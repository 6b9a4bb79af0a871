import { describe, expect, it } from 'vitest'
import { silentLog } from '../../../lib/log.ts'
import { systemRandom } from '../../../lib/random.ts'
import { awsKmsSeal, type KmsCalls } from './awskms.ts'
import { regionOf, sameKey } from './key-arn.ts'

const arn = (key: string, region = 'eu-central-1') => `arn:aws:kms:${region}:123456789012:key/${key}`
const one = arn('11111111-0000-0000-0000-000000000000')
const two = arn('22222222-0000-0000-0000-000000000000')
const replica = (region: string) => arn('mrk-12345678901234567890123456789012', region)

/** KMS with an alias that can point elsewhere. What it encrypts names its key and holds the data inverted. */
function fakeKms(alias = one) {
  const state = { alias, mayDescribe: true, asked: [] as string[], plaintexts: [] as Buffer[] }
  const keyOf = (id: string) => (id === 'alias/coffer' ? state.alias : id)
  const calls: KmsCalls = {
    encrypt: async (id, plaintext) => {
      state.asked.push(`Encrypt ${id}`)
      state.plaintexts.push(Buffer.from(plaintext))
      return {
        blob: Buffer.from(JSON.stringify([keyOf(id), Buffer.from(plaintext).toString('hex')])),
        keyArn: keyOf(id),
      }
    },
    decrypt: async (id, blob) => {
      state.asked.push(`Decrypt ${id}`)
      const [key, hex] = JSON.parse(Buffer.from(blob).toString())
      if (!sameKey(key, keyOf(id))) throw new Error('IncorrectKeyException')
      return Buffer.from(hex, 'hex')
    },
    describe: async (id) => (state.mayDescribe ? keyOf(id) : undefined),
  }
  return { calls, state }
}

function sealOf(kms: ReturnType<typeof fakeKms>, keyId = 'alias/coffer') {
  const lines: string[] = []
  const log = { ...silentLog, warn: (event: string) => void lines.push(event) }
  return { seal: awsKmsSeal({ calls: kms.calls, keyId, random: systemRandom, log }), lines }
}

describe('the awskms seal', () => {
  it('opens what it wrapped, and never sends the root key to KMS', async () => {
    const kms = fakeKms()
    const { seal } = sealOf(kms)
    expect([seal.type, seal.automatic]).toEqual(['awskms', true])
    const root = systemRandom(32)
    const { blob, keyId } = await seal.wrap(root)
    expect([keyId, seal.keyId()]).toEqual([one, one])
    expect(Buffer.from(await sealOf(kms).seal.unwrap(blob, keyId))).toEqual(Buffer.from(root))
    expect(kms.state.plaintexts).toHaveLength(1)
    expect(kms.state.plaintexts[0]?.equals(root)).toBe(false)
    expect(Buffer.from(blob).includes(Buffer.from(root))).toBe(false)
    await seal.wrap(root)
    expect(kms.state.plaintexts[0]).not.toEqual(kms.state.plaintexts[1])
  })

  it('does not work when KMS gives back something else', async () => {
    const kms = fakeKms()
    await sealOf(kms).seal.check()
    const decrypt = async () => Buffer.from('other')
    const seal = awsKmsSeal({ calls: { ...kms.calls, decrypt }, keyId: one, random: systemRandom, log: silentLog })
    await expect(seal.check()).rejects.toThrow('decrypts to something else')
    await expect(seal.wrap(systemRandom(32))).rejects.toThrow('decrypts to something else')
  })

  it('asks for the key that wrapped, and says that the configured one is another by now', async () => {
    const kms = fakeKms()
    const { blob, keyId } = await sealOf(kms).seal.wrap(systemRandom(32))
    kms.state.alias = two
    kms.state.asked = []
    const { seal } = sealOf(kms)
    await seal.unwrap(blob, keyId)
    expect(kms.state.asked).toEqual([`Decrypt ${one}`])
    expect(seal.keyId()).toBe(two)
  })

  it('counts an alias, an id and an ARN of one key as the same', async () => {
    const kms = fakeKms()
    const { blob, keyId } = await sealOf(kms, one).seal.wrap(systemRandom(32))
    const { seal } = sealOf(kms)
    await seal.unwrap(blob, keyId)
    expect(seal.keyId()).toBe(keyId)
  })

  it('opens with a replica of the key in another region, and does not wrap anew for that', async () => {
    const kms = fakeKms(replica('eu-central-1'))
    const { blob, keyId } = await sealOf(kms).seal.wrap(systemRandom(32))
    kms.state.alias = replica('us-west-2')
    kms.state.asked = []
    const { seal } = sealOf(kms)
    await seal.unwrap(blob, keyId)
    expect(kms.state.asked).toEqual([`Decrypt ${replica('us-west-2')}`])
    expect(seal.keyId()).toBe(keyId)
  })

  it('opens without being allowed to look at the key, and says what it cannot know', async () => {
    const kms = fakeKms()
    const { blob, keyId } = await sealOf(kms).seal.wrap(systemRandom(32))
    kms.state.mayDescribe = false
    const { seal, lines } = sealOf(kms)
    await seal.unwrap(blob, keyId)
    expect(seal.keyId()).toBe(keyId)
    expect(lines).toEqual([expect.stringContaining('kms:DescribeKey')])
  })

  it('asks KMS both ways when it is checked', async () => {
    const kms = fakeKms()
    await sealOf(kms).seal.check()
    expect(kms.state.asked).toEqual(['Encrypt alias/coffer', `Decrypt ${one}`])
    await expect(
      awsKmsSeal({
        calls: { ...kms.calls, decrypt: () => Promise.reject(new Error('no kms:Decrypt')) },
        keyId: one,
        random: systemRandom,
        log: silentLog,
      }).check(),
    ).rejects.toThrow('no kms:Decrypt')
  })

  it('refuses a blob that was changed or cut at any byte', async () => {
    const kms = fakeKms()
    const { seal } = sealOf(kms)
    const { blob, keyId } = await seal.wrap(systemRandom(32))
    for (let at = 0; at < blob.length; at += 1) {
      const changed = Buffer.from(blob)
      changed[at] = (changed[at] ?? 0) ^ 1
      await expect(seal.unwrap(changed, keyId), `byte ${at}`).rejects.toThrow()
      await expect(seal.unwrap(blob.subarray(0, at), keyId), `cut at ${at}`).rejects.toThrow()
    }
  })

  it('refuses a data key of another length', async () => {
    const kms = fakeKms()
    const { blob, keyId } = await sealOf(kms).seal.wrap(systemRandom(32))
    const calls = { ...kms.calls, decrypt: async () => Buffer.alloc(16) }
    const seal = awsKmsSeal({ calls, keyId: one, random: systemRandom, log: silentLog })
    await expect(seal.unwrap(blob, keyId)).rejects.toThrow('not 32 bytes')
  })
})

describe('names of keys', () => {
  it.each([
    [one, 'eu-central-1'],
    ['arn:aws-us-gov:kms:us-gov-west-1:1:alias/a', 'us-gov-west-1'],
    ['alias/coffer', undefined],
    ['11111111-0000-0000-0000-000000000000', undefined],
  ])('%s is in %s', (id, region) => expect(regionOf(id)).toBe(region))

  it.each([
    [one, one, true],
    [one, two, false],
    [one, arn('11111111-0000-0000-0000-000000000000', 'us-west-2'), false],
    [replica('us-west-2'), replica('eu-west-1'), true],
    [replica('us-west-2'), arn('mrk-00000000000000000000000000000000'), false],
  ])('%s and %s are one key: %s', (a, b, same) => expect(sameKey(a, b)).toBe(same))
})
