import { orAborted } from '../../../../lib/until-aborted.ts'
import type { S3Calls } from './s3-calls.ts'
import type { AwsS3Client, S3ClientSettings, S3Encryption } from './s3-client.ts'
import { mayNot, type S3Request, s3Failure, s3FailureOf } from './s3-failure.ts'

export interface S3Target {
  readonly bucket: string
  readonly client: S3ClientSettings
  readonly encryption?: S3Encryption
}

/** A client for one snapshot: they are rare, and credentials and files may have changed since the last. */
export async function openS3({ bucket, client, encryption }: S3Target): Promise<S3Calls> {
  const { openS3Client } = await import('./s3-client.ts')
  const s3 = openS3Client(bucket, client, encryption)
  const { endpoint } = client
  const call = async <T>(action: string, signal: AbortSignal, send: (s3: AwsS3Client) => Promise<T>): Promise<T> => {
    const request: S3Request = { action, bucket, ...(endpoint ? { endpoint } : {}) }
    const asking = async () => {
      const region = await s3.region().catch(() => {
        throw s3Failure('no region', request)
      })
      await s3.credentials().catch((error: unknown) => {
        throw s3Failure('no credentials', request, error)
      })
      return send(s3).catch((error: unknown) => {
        if (signal.aborted) throw signal.reason
        throw s3FailureOf(error, { ...request, region })
      })
    }
    // The SDK does not look at the signal while it looks for credentials.
    return orAborted(asking, signal)
  }
  const needed = (action: string, text: string | undefined): string => {
    if (!text) throw s3Failure('empty answer', { action, bucket, ...(endpoint ? { endpoint } : {}) })
    return text
  }
  return {
    put: async (key, body, signal) => void (await call('PutObject', signal, (s3) => s3.put(key, body, signal))),
    begin: async (key, signal) =>
      needed('PutObject', (await call('PutObject', signal, (s3) => s3.begin(key, signal))).UploadId),
    part: async ({ key, id }, number, body, signal) => {
      const { ETag, ChecksumCRC32 } = await call('PutObject', signal, (s3) => s3.part(key, id, number, body, signal))
      return { number, etag: needed('PutObject', ETag), ...(ChecksumCRC32 ? { crc32: ChecksumCRC32 } : {}) }
    },
    complete: async ({ key, id }, parts, signal) => {
      const { ETag } = await call('PutObject', signal, (s3) => s3.complete(key, id, parts, signal))
      needed('PutObject', ETag)
    },
    abandon: async ({ key, id }, signal) =>
      void (await call('AbortMultipartUpload', signal, (s3) => s3.abandon(key, id, signal))),
    unfinished: async (prefix, signal) => {
      const answer = await call('ListBucketMultipartUploads', signal, (s3) =>
        s3.unfinished(prefix, signal).catch((error: unknown) => {
          if (mayNot(error)) return undefined
          throw error
        }),
      )
      return answer?.Uploads?.flatMap(({ Key, UploadId }) => (Key && UploadId ? [{ key: Key, id: UploadId }] : []))
    },
    list: async (prefix, signal) => {
      const found: { key: string; bytes: number }[] = []
      for (let next: string | undefined, more = true; more; ) {
        const page = await call('ListBucket', signal, (s3) => s3.list(prefix, next, signal))
        for (const { Key, Size } of page.Contents ?? []) if (Key) found.push({ key: Key, bytes: Size ?? 0 })
        next = page.NextContinuationToken
        more = page.IsTruncated === true && next !== undefined
      }
      return found
    },
    remove: async (key, signal) => void (await call('DeleteObject', signal, (s3) => s3.remove(key, signal))),
    close: () => s3.destroy(),
  }
}
