import { awsConnectionError, awsErrorName, awsRequest } from '../../../lib/aws-error.ts'
import { Refusal } from '../../contracts/request.ts'

export interface KmsRequest {
  readonly action: 'Encrypt' | 'Decrypt' | 'DescribeKey'
  readonly key: string
  readonly region?: string
  readonly endpoint?: string
}

/** What can go wrong before KMS has said anything. */
type Ours = 'no region' | 'no credentials' | 'no answer' | 'empty answer'

/** Words for people. AWS's own are left out: those about signatures repeat headers of the request, session token included. */
export function kmsFailure(what: Ours, request: KmsRequest, error?: unknown): Refusal {
  const where = placeOf(request)
  const why = error === undefined ? '' : ` (${awsErrorName(error)})`
  switch (what) {
    case 'no region':
      return refused('no region is known: set region, AWS_REGION or a kms_key_id that is an ARN')
    case 'no credentials':
      return refused(
        `no AWS credentials${why}: set access_key and secret_key, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a shared file, or give the machine or pod a role`,
      )
    case 'no answer':
      return refused(`${where} gave no answer to ${request.action} in time: check endpoint, region and the network`)
    case 'empty answer':
      return refused(`${where} gave an answer to ${request.action} without what was asked for: is it KMS?`)
  }
}

/** For what the SDK threw. */
export function failureOf(error: unknown, request: KmsRequest): Refusal {
  const name = awsErrorName(error)
  const words = Object.hasOwn(answers, name) ? answers[name]?.(request) : undefined
  if (words !== undefined) return refused(`${words} (${name}${awsRequest(error)})`)
  const code = awsConnectionError(error)
  if (code !== undefined) {
    return refused(`${placeOf(request)} cannot be reached (${code}): check endpoint, region and the network`)
  }
  return refused(`KMS ${request.action} with the key ${request.key} failed (${name}${awsRequest(error)})`)
}

const refused = (words: string) => new Refusal(500, `seal "awskms": ${words}`)

const wrongSecret = () =>
  'the secret access key does not belong to the access key, or the clock of this machine is wrong'
const unknownAccessKey = () => 'AWS does not know the access key or the session token'
const expired = () => 'the session token has expired: give new credentials'
const busy = ({ key }: KmsRequest) => `KMS is busy with the key ${key}, it will be asked again`
const notUsable = ({ key }: KmsRequest) =>
  `the KMS key ${key} is in a state in which it cannot be used: cancel its deletion, enable it, or bring its key material back`
const anotherKey = ({ key }: KmsRequest) =>
  `the KMS key ${key} does not open the root key: it was wrapped by another key or the row in storage is damaged`

/** By the name of AWS's error. */
const answers: Readonly<Record<string, (request: KmsRequest) => string>> = {
  AccessDeniedException: ({ action, key }) =>
    `AWS does not allow kms:${action} on the key ${key}: allow it in the key's policy or to the role of this server`,
  NotFoundException: ({ key, region }) =>
    `there is no KMS key ${key} in ${region ?? 'this region'}: check kms_key_id, region and the account`,
  InvalidArnException: ({ key }) => `kms_key_id "${key}" is no id, ARN or alias of a key`,
  ValidationException: ({ key }) => `KMS does not take "${key}" as a kms_key_id in this region`,
  DisabledException: ({ key }) => `the KMS key ${key} is disabled: enable it`,
  KMSInvalidStateException: notUsable,
  KeyUnavailableException: busy,
  InvalidKeyUsageException: ({ key }) =>
    `the KMS key ${key} is not for encryption: a symmetric key with the usage ENCRYPT_DECRYPT is needed`,
  InvalidCiphertextException: anotherKey,
  IncorrectKeyException: anotherKey,
  UnrecognizedClientException: unknownAccessKey,
  InvalidClientTokenId: unknownAccessKey,
  InvalidSignatureException: wrongSecret,
  SignatureDoesNotMatch: wrongSecret,
  IncompleteSignatureException: wrongSecret,
  ExpiredTokenException: expired,
  ExpiredToken: expired,
  ThrottlingException: busy,
  LimitExceededException: busy,
  DependencyTimeoutException: busy,
  KMSInternalException: busy,
}

const placeOf = ({ endpoint, region }: KmsRequest) =>
  endpoint ? `KMS at ${endpoint}` : region ? `KMS in ${region}` : 'KMS'
