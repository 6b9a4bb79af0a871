/** The seal of a key in AWS KMS: the root key can be opened only with that service's help. */
import type { Logger } from '../../../lib/log.ts'
import type { RandomBytes } from '../../../lib/random.ts'
import type { Seal } from '../../contracts/devices.ts'
import { decodeEnvelope, encodeEnvelope, openKey, sealKey } from './envelope.ts'
import { sameKey } from './key-arn.ts'

/** What the seal asks of KMS; each call has its deadline and rejects with a Refusal that says what to do. */
export interface KmsCalls {
  /** `keyArn`: of the key that was used, whatever `keyId` is (an alias may point to another one tomorrow). */
  encrypt(keyId: string, plaintext: Uint8Array): Promise<{ blob: Uint8Array; keyArn: string }>
  decrypt(keyId: string, blob: Uint8Array): Promise<Uint8Array>
  /** The ARN of the key that `keyId` names now; undefined when AWS does not let us look. */
  describe(keyId: string): Promise<string | undefined>
}

export interface AwsKmsSealOptions {
  readonly calls: KmsCalls
  /** An id, an ARN or an alias. */
  readonly keyId: string
  readonly random: RandomBytes
  readonly log: Logger
}

const dataKeyBytes = 32
const checked = Buffer.from('check')

/** Only a data key that is used once goes to KMS: who sees that call but not the storage learns nothing of the root key. */
export function awsKmsSeal({ calls, keyId, random, log }: AwsKmsSealOptions): Seal {
  /** What KMS last said which key `keyId` is. Another one than that of the row: the server wraps the root key anew. */
  let current = keyId
  const describe = async () => {
    const arn = await calls.describe(keyId)
    if (arn === undefined) {
      log.warn('not known whether the root key is wrapped by the configured key: allow kms:DescribeKey', { key: keyId })
    }
    return arn
  }
  return {
    type: 'awskms',
    automatic: true,
    keyId: () => current,
    wrap: async (key) => {
      const dataKey = random(dataKeyBytes)
      try {
        const { blob, keyArn } = await encryptProven(calls, keyId, dataKey)
        current = keyArn
        return { blob: encodeEnvelope(sealKey(key, { dataKey, wrappedDataKey: blob, random })), keyId: keyArn }
      } finally {
        dataKey.fill(0)
      }
    },
    unwrap: async (blob, id) => {
      const envelope = decodeEnvelope(blob)
      const arn = await describe()
      // A replica in this region of the key that wrapped it elsewhere opens it, too.
      const replica = arn !== undefined && sameKey(arn, id)
      const dataKey = await calls.decrypt(replica ? arn : id, envelope.wrappedDataKey)
      try {
        const key = openKey(envelope, dataKey)
        current = arn === undefined || replica ? id : arn
        return key
      } finally {
        dataKey.fill(0)
      }
    },
    check: async () => {
      await encryptProven(calls, keyId, checked)
    },
  }
}

/** What can't be decrypted again, because nobody allowed that, must not be all that opens the storage. */
async function encryptProven(calls: KmsCalls, keyId: string, plaintext: Uint8Array) {
  const made = await calls.encrypt(keyId, plaintext)
  const again = Buffer.from(await calls.decrypt(made.keyArn, made.blob))
  try {
    if (again.equals(plaintext)) return made
    throw new Error(`the KMS key ${made.keyArn} decrypts to something else than it encrypted`)
  } finally {
    again.fill(0)
  }
}
