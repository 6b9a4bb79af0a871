/** The part of `snapshots { … }` that says which bucket; names and meanings are those of Vault's automated snapshots. */
import { type HclBlock, members } from '../../../../lib/hcl/read.ts'
import { HclError } from '../../../../lib/hcl/tree.ts'
import { boolOf, textOf } from '../../configuration/settings.ts'
import type { S3Encryption } from './s3-client.ts'

export interface S3Stanza {
  readonly kind: 's3'
  readonly bucket: string
  /** '' or with a slash at its end. */
  readonly prefix: string
  readonly region?: string
  readonly endpoint?: string
  readonly pathStyle: boolean
  readonly encryption?: S3Encryption
  /** Each a value, "env://NAME" or "file:///path". */
  readonly accessKey?: string
  readonly secretKey?: string
  readonly sessionToken?: string
}

export const s3Settings = [
  ...['aws_s3_bucket', 'path_prefix', 'aws_s3_region', 'aws_s3_endpoint', 'aws_s3_disable_tls'],
  ...['aws_s3_force_path_style', 'aws_s3_server_side_encryption', 'aws_s3_enable_kms', 'aws_s3_kms_key'],
  ...['aws_access_key_id', 'aws_secret_access_key', 'aws_session_token'],
]

export function readS3(block: HclBlock): S3Stanza {
  const settings = members(block.body)
  // Vault takes an empty text for an absent one.
  const text = (name: string) => textOf(settings[name]) || undefined
  const bucket = text('aws_s3_bucket')
  if (!bucket) throw new HclError('snapshots in S3 need aws_s3_bucket', block)
  if (!/^[a-zA-Z0-9][\w.-]{1,253}[a-zA-Z0-9]$/.test(bucket)) {
    throw new HclError('"aws_s3_bucket" in snapshots must be the name of a bucket', settings['aws_s3_bucket'] ?? block)
  }
  const region = text('aws_s3_region')
  const endpoint = endpointOf(block)
  const encryption = encryptionOf(block)
  return {
    kind: 's3',
    bucket,
    prefix: prefixOf(block),
    ...(region ? { region } : {}),
    ...(endpoint ? { endpoint } : {}),
    pathStyle: boolOf(settings['aws_s3_force_path_style']) ?? false,
    ...(encryption ? { encryption } : {}),
    ...credentialsOf(block),
  }
}

function prefixOf(block: HclBlock): string {
  const item = members(block.body)['path_prefix']
  const text = textOf(item) ?? ''
  // Where AWS's console and tools show folders that have no name, something was meant otherwise.
  if (text.startsWith('/') || text.includes('//') || !/^[\x20-\x7e]{0,500}$/.test(text)) {
    throw new HclError('"path_prefix" in snapshots must be like "backups/coffer"', item ?? block)
  }
  return text === '' || text.endsWith('/') ? text : `${text}/`
}

function endpointOf(block: HclBlock): string | undefined {
  const settings = members(block.body)
  const item = settings['aws_s3_endpoint']
  const text = textOf(item)
  const plain = boolOf(settings['aws_s3_disable_tls']) ?? false
  if (!text) {
    if (plain) throw new HclError('"aws_s3_disable_tls" in snapshots needs aws_s3_endpoint', block)
    return undefined
  }
  const withScheme = text.includes('://') ? text : `${plain ? 'http' : 'https'}://${text}`
  const url = URL.canParse(withScheme) ? new URL(withScheme) : undefined
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || url.search || url.hash) {
    throw new HclError(
      '"aws_s3_endpoint" in snapshots must be an address such as https://minio.example:9000, without user, query and fragment',
      item ?? block,
    )
  }
  if (url.protocol === 'http:' && !plain) {
    throw new HclError(
      '"aws_s3_endpoint" in snapshots has no TLS: aws_s3_disable_tls = true allows that',
      item ?? block,
    )
  }
  return url.href.replace(/\/$/, '')
}

function encryptionOf(block: HclBlock): S3Encryption | undefined {
  const settings = members(block.body)
  const [aes, kms] = [boolOf(settings['aws_s3_server_side_encryption']), boolOf(settings['aws_s3_enable_kms'])]
  const kmsKey = textOf(settings['aws_s3_kms_key'])
  if (aes && kms) {
    throw new HclError('snapshots: aws_s3_server_side_encryption and aws_s3_enable_kms exclude each other', block)
  }
  if (kmsKey && !kms) throw new HclError('snapshots: aws_s3_kms_key needs aws_s3_enable_kms = true', block)
  if (kms) return { kind: 'aws:kms', ...(kmsKey ? { kmsKey } : {}) }
  return aes ? { kind: 'AES256' } : undefined
}

function credentialsOf(block: HclBlock): Pick<S3Stanza, 'accessKey' | 'secretKey' | 'sessionToken'> {
  const settings = members(block.body)
  const text = (name: string) => textOf(settings[name]) || undefined
  const [accessKey, secretKey] = [text('aws_access_key_id'), text('aws_secret_access_key')]
  const sessionToken = text('aws_session_token')
  if ((accessKey === undefined) !== (secretKey === undefined)) {
    throw new HclError('snapshots: aws_access_key_id and aws_secret_access_key belong together', block)
  }
  if (sessionToken !== undefined && accessKey === undefined) {
    throw new HclError('snapshots: aws_session_token needs aws_access_key_id and aws_secret_access_key', block)
  }
  return {
    ...(accessKey ? { accessKey } : {}),
    ...(secretKey ? { secretKey } : {}),
    ...(sessionToken ? { sessionToken } : {}),
  }
}
