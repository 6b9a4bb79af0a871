/** The only module that imports AWS's SDK, 8 MB of memory: itself imported when the seal is first used. */
import { DecryptCommand, DescribeKeyCommand, EncryptCommand, KMSClient } from '@aws-sdk/client-kms'

export interface KmsClientSettings {
  readonly region?: string
  /** Absent: AWS's endpoint of the region. */
  readonly endpoint?: string
  /** Of AWS's own files. */
  readonly profile?: string
  /** Absent: AWS's chain (environment, files, web identity, container, instance). */
  readonly credentials?: () => Promise<AwsCredentials>
}

export interface AwsCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

/** In CloudTrail, and to be demanded by key policies (kms:EncryptionContext:coffer). What was encrypted with it opens only with it. */
const context = { coffer: 'root key' }
/** For AWS's own files: whoever mends one while the server tries again must not have to restart it. Passed on to what reads them. */
const files = { ignoreCache: true }
const connectMs = 5000
const answerMs = 10_000
const attempts = 3

/** One connection to KMS; what it throws is the SDK's. `destroy` when done. */
export function openKms({ credentials, ...settings }: KmsClientSettings) {
  const client = new KMSClient({
    ...files,
    ...settings,
    ...(credentials ? { credentials } : {}),
    maxAttempts: attempts,
    requestHandler: { connectionTimeout: connectMs, requestTimeout: answerMs, throwOnRequestTimeout: true },
  })
  return {
    region: () => client.config.region(),
    /** Throws when there are none. */
    credentials: async () => void (await client.config.credentials()),
    encrypt: (keyId: string, plaintext: Uint8Array, abortSignal: AbortSignal) =>
      client.send(new EncryptCommand({ KeyId: keyId, Plaintext: plaintext, EncryptionContext: context }), {
        abortSignal,
      }),
    decrypt: (keyId: string, blob: Uint8Array, abortSignal: AbortSignal) =>
      client.send(new DecryptCommand({ KeyId: keyId, CiphertextBlob: blob, EncryptionContext: context }), {
        abortSignal,
      }),
    describe: (keyId: string, abortSignal: AbortSignal) =>
      client.send(new DescribeKeyCommand({ KeyId: keyId }), { abortSignal }),
    destroy: () => client.destroy(),
  }
}

export type KmsClient = ReturnType<typeof openKms>
