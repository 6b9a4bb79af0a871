import { type HclBlock, members } from '../../../lib/hcl/read.ts'
import { HclError } from '../../../lib/hcl/tree.ts'
import { type Accepted, textOf } from '../configuration/settings.ts'

/** `seal "awskms" { … }`, as it stands: the environment is looked at when it is opened. */
export interface AwsKmsStanza {
  readonly kind: 'awskms'
  readonly region?: string
  readonly keyId?: string
  readonly endpoint?: string
  /** Each a value, "env://NAME" or "file:///path". */
  readonly accessKey?: string
  readonly secretKey?: string
  readonly sessionToken?: string
  readonly sharedFile?: string
  readonly profile?: string
  /** Stands in log lines. */
  readonly name?: string
}

const names = {
  region: 'region',
  kms_key_id: 'keyId',
  endpoint: 'endpoint',
  access_key: 'accessKey',
  secret_key: 'secretKey',
  session_token: 'sessionToken',
  shared_creds_filename: 'sharedFile',
  shared_creds_profile: 'profile',
  name: 'name',
} as const

const byEnvironment = 'set AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_SESSION_NAME in the environment'

export const acceptedAwsKms: Omit<Accepted, 'where'> = {
  read: [...Object.keys(names), 'disabled'],
  refused: {
    role_arn: byEnvironment,
    role_session_name: byEnvironment,
    web_identity_token_file: byEnvironment,
    priority: 'there is one seal at a time',
    key_not_required: 'kms_key_id is needed',
  },
}

export function readAwsKms(block: HclBlock): AwsKmsStanza {
  const settings = members(block.body)
  const given = Object.entries(names).flatMap(([setting, member]) => {
    const text = textOf(settings[setting])
    // Vault takes an empty text for an absent one.
    return text ? [[member, text]] : []
  })
  const stanza: AwsKmsStanza = { kind: 'awskms', ...Object.fromEntries(given) }
  if ((stanza.accessKey === undefined) !== (stanza.secretKey === undefined)) {
    throw new HclError('seal "awskms": access_key and secret_key belong together', block)
  }
  if (stanza.sessionToken !== undefined && stanza.accessKey === undefined) {
    throw new HclError('seal "awskms": session_token needs access_key and secret_key', block)
  }
  if (stanza.accessKey !== undefined && (stanza.sharedFile ?? stanza.profile) !== undefined) {
    throw new HclError('seal "awskms": credentials stand in access_key or in a shared file, not in both', block)
  }
  return stanza
}
