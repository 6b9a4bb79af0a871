/** The only module that imports AWS's client of S3: itself imported when a snapshot is taken. */
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import type { AwsCredentials } from '../../../../server/seal/awskms/sdk-client.ts'

export interface S3ClientSettings {
  readonly region?: string
  /** Absent: AWS's endpoint of the region. */
  readonly endpoint?: string
  readonly forcePathStyle?: boolean
  /** Absent: AWS's chain (environment, files, web identity, container, instance). */
  readonly credentials?: () => Promise<AwsCredentials>
}

/** How S3 encrypts what it keeps; absent: as the bucket says. */
export interface S3Encryption {
  readonly kind: 'AES256' | 'aws:kms'
  /** Absent: AWS's own key for S3. */
  readonly kmsKey?: string
}

/** For AWS's own files: whoever mends one while the server tries again must not have to restart it. */
const files = { ignoreCache: true }
const connectMs = 5000
/** For a part of 8 MiB on a slow line, too. */
const answerMs = 120_000
const attempts = 3
/** Checked by S3, so what arrives changed is refused. */
const checksum = { ChecksumAlgorithm: 'CRC32' } as const

/** One client; what it throws is the SDK's. `destroy` when done. */
export function openS3Client(bucket: string, settings: S3ClientSettings, encryption: S3Encryption | undefined) {
  const client = new S3Client({
    ...files,
    ...settings,
    maxAttempts: attempts,
    requestHandler: { connectionTimeout: connectMs, requestTimeout: answerMs, throwOnRequestTimeout: true },
  })
  const encrypted = encryption
    ? {
        ServerSideEncryption: encryption.kind,
        ...(encryption.kmsKey === undefined ? {} : { SSEKMSKeyId: encryption.kmsKey }),
      }
    : {}
  const at = (Key: string) => ({ Bucket: bucket, Key })
  return {
    region: () => client.config.region(),
    /** Throws when there are none. */
    credentials: async () => void (await client.config.credentials()),
    put: (key: string, Body: Uint8Array, abortSignal: AbortSignal) =>
      client.send(new PutObjectCommand({ ...at(key), ...encrypted, ...checksum, Body }), { abortSignal }),
    begin: (key: string, abortSignal: AbortSignal) =>
      client.send(new CreateMultipartUploadCommand({ ...at(key), ...encrypted, ...checksum }), { abortSignal }),
    part: (key: string, UploadId: string, PartNumber: number, Body: Uint8Array, abortSignal: AbortSignal) =>
      client.send(new UploadPartCommand({ ...at(key), UploadId, PartNumber, ...checksum, Body }), { abortSignal }),
    complete: (
      key: string,
      UploadId: string,
      parts: readonly { number: number; etag: string; crc32?: string }[],
      abortSignal: AbortSignal,
    ) => {
      const Parts = parts.map(({ number, etag, crc32 }) => ({
        PartNumber: number,
        ETag: etag,
        ...(crc32 === undefined ? {} : { ChecksumCRC32: crc32 }),
      }))
      return client.send(new CompleteMultipartUploadCommand({ ...at(key), UploadId, MultipartUpload: { Parts } }), {
        abortSignal,
      })
    },
    abandon: (key: string, UploadId: string, abortSignal: AbortSignal) =>
      client.send(new AbortMultipartUploadCommand({ ...at(key), UploadId }), { abortSignal }),
    unfinished: (Prefix: string, abortSignal: AbortSignal) =>
      client.send(new ListMultipartUploadsCommand({ Bucket: bucket, Prefix }), { abortSignal }),
    list: (Prefix: string, ContinuationToken: string | undefined, abortSignal: AbortSignal) =>
      client.send(
        new ListObjectsV2Command({ Bucket: bucket, Prefix, ...(ContinuationToken ? { ContinuationToken } : {}) }),
        { abortSignal },
      ),
    remove: (key: string, abortSignal: AbortSignal) => client.send(new DeleteObjectCommand(at(key)), { abortSignal }),
    destroy: () => client.destroy(),
  }
}

export type AwsS3Client = ReturnType<typeof openS3Client>
