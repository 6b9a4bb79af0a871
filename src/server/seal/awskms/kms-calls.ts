import type { Clock } from '../../../lib/clock.ts'
import { Refusal } from '../../contracts/request.ts'
import type { KmsCalls } from './awskms.ts'
import { failureOf, type KmsRequest, kmsFailure } from './kms-failure.ts'
import type { KmsClient, KmsClientSettings } from './sdk-client.ts'

/** For one call with all its repetitions. */
const deadlineMs = 20_000

/** Calls to KMS by AWS's SDK. Each makes its own client: they are rare, and credentials and files may have changed since. */
export function kmsCalls(settings: KmsClientSettings & { readonly clock: Clock }): KmsCalls {
  const { clock, ...client } = settings
  const call = async <T>(
    action: KmsRequest['action'],
    key: string,
    send: (kms: KmsClient, signal: AbortSignal) => Promise<T>,
  ): Promise<T> => {
    const { openKms } = await import('./sdk-client.ts')
    const kms = openKms(client)
    const request = { action, key, ...(client.endpoint ? { endpoint: client.endpoint } : {}) }
    try {
      return await withDeadline(
        clock,
        async (signal) => {
          const region = await kms.region().catch(() => {
            throw kmsFailure('no region', request)
          })
          await kms.credentials().catch((error: unknown) => {
            throw error instanceof Refusal ? error : kmsFailure('no credentials', request, error)
          })
          return send(kms, signal).catch((error: unknown) => {
            throw failureOf(error, { ...request, region })
          })
        },
        () => kmsFailure('no answer', request),
      )
    } finally {
      kms.destroy()
    }
  }
  return {
    encrypt: async (key, plaintext) => {
      const answer = await call('Encrypt', key, (kms, signal) => kms.encrypt(key, plaintext, signal))
      if (!answer.CiphertextBlob || !answer.KeyId) throw kmsFailure('empty answer', { action: 'Encrypt', key })
      return { blob: answer.CiphertextBlob, keyArn: answer.KeyId }
    },
    decrypt: async (key, blob) => {
      const answer = await call('Decrypt', key, (kms, signal) => kms.decrypt(key, blob, signal))
      if (!answer.Plaintext) throw kmsFailure('empty answer', { action: 'Decrypt', key })
      return answer.Plaintext
    },
    describe: async (key) => {
      const answer = await call('DescribeKey', key, (kms, signal) =>
        kms.describe(key, signal).catch((error: unknown) => {
          if (error instanceof Error && error.name === 'AccessDeniedException') return undefined
          throw error
        }),
      )
      if (answer && !answer.KeyMetadata?.Arn) throw kmsFailure('empty answer', { action: 'DescribeKey', key })
      return answer?.KeyMetadata?.Arn
    },
  }
}

/** Ends the wait even where the SDK does not look at the signal (it does not while it looks for credentials). */
async function withDeadline<T>(clock: Clock, work: (signal: AbortSignal) => Promise<T>, late: () => Error): Promise<T> {
  const stop = new AbortController()
  let cancel = () => {}
  const over = new Promise<never>((_, reject) => {
    cancel = clock.after(deadlineMs, () => {
      reject(late())
      stop.abort()
    })
  })
  try {
    return await Promise.race([work(stop.signal), over])
  } finally {
    cancel()
  }
}
