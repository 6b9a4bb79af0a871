import type { Clock } from '../../../lib/clock.ts'
import type { Logger } from '../../../lib/log.ts'
import type { RandomBytes } from '../../../lib/random.ts'
import { setting } from '../../../lib/setting.ts'
import type { Seal } from '../../../server/contracts/devices.ts'
import { awsKmsSeal } from '../../../server/seal/awskms/awskms.ts'
import { regionOf } from '../../../server/seal/awskms/key-arn.ts'
import { kmsCalls } from '../../../server/seal/awskms/kms-calls.ts'
import type { AwsCredentials, KmsClientSettings } from '../../../server/seal/awskms/sdk-client.ts'
import { readSharedCredentials } from '../../../server/seal/awskms/shared-credentials.ts'
import { hushAwsSdk } from '../../process.ts'
import type { AwsKmsStanza } from './awskms-stanza.ts'
import { readSource } from './key-source.ts'

interface Options {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  readonly random: RandomBytes
  readonly log: Logger
}

/**
 * As Vault: the environment wins over the stanza for the key and the endpoint; for the region the stanza wins. Nothing is asked of AWS
 * yet. Throws an Error that names the setting, never a credential.
 */
export function openAwsKms(stanza: AwsKmsStanza, { env, clock, random, log }: Options): Seal {
  const keyId = env['AWSKMS_WRAPPER_KEY_ID'] || setting(env, 'AWSKMS_SEAL_KEY_ID')?.value || stanza.keyId
  if (!keyId) throw new Error('seal "awskms" needs kms_key_id, there or in VAULT_AWSKMS_SEAL_KEY_ID')
  const region = stanza.region || env['AWS_REGION'] || env['AWS_DEFAULT_REGION'] || regionOf(keyId)
  const ofKey = regionOf(keyId)
  if (region && ofKey && region !== ofKey) {
    throw new Error(`seal "awskms": the region is ${region}, but the key ${keyId} is in ${ofKey}`)
  }
  const endpoint = endpointOf(env['AWS_KMS_ENDPOINT'] || stanza.endpoint)
  const named = stanza.name === undefined ? log : log.with({ seal: stanza.name })
  if (endpoint?.startsWith('http:')) {
    named.warn('KMS is asked without TLS: who listens there learns data keys', { endpoint })
  }
  hushAwsSdk()
  const settings: KmsClientSettings = {
    ...(region ? { region } : {}),
    ...(endpoint ? { endpoint } : {}),
    ...credentialsOf(stanza, env),
  }
  return awsKmsSeal({ calls: kmsCalls({ ...settings, clock }), keyId, random, log: named })
}

/** Without a scheme it is https, as for AWS's other programs. */
function endpointOf(text: string | undefined): string | undefined {
  if (!text) return undefined
  const withScheme = text.includes('://') ? text : `https://${text}`
  const url = URL.canParse(withScheme) ? new URL(withScheme) : undefined
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || url.search || url.hash) {
    throw new Error(
      'seal "awskms": endpoint (or AWS_KMS_ENDPOINT) must be an address such as https://kms.example:443, without user, query and fragment',
    )
  }
  return url.href.replace(/\/$/, '')
}

function credentialsOf(stanza: AwsKmsStanza, env: Options['env']): Pick<KmsClientSettings, 'credentials' | 'profile'> {
  const { accessKey, secretKey, sessionToken, sharedFile, profile } = stanza
  if (accessKey !== undefined && secretKey !== undefined) {
    const fixed: AwsCredentials = {
      accessKeyId: readText(accessKey, 'access_key', env),
      secretAccessKey: readText(secretKey, 'secret_key', env),
      ...(sessionToken === undefined ? {} : { sessionToken: readText(sessionToken, 'session_token', env) }),
    }
    return { credentials: async () => fixed }
  }
  if (sharedFile !== undefined) {
    const section = profile ?? (env['AWS_PROFILE'] || 'default')
    return { credentials: async () => readSharedCredentials(sharedFile, section) }
  }
  return profile === undefined ? {} : { profile }
}

const readText = (source: string, name: string, env: Options['env']) =>
  Buffer.from(readSource(source, `seal "awskms": ${name}`, env))
    .toString('utf8')
    .trim()
