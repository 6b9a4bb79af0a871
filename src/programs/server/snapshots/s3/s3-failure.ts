import { awsConnectionError, awsErrorName, awsRequest, awsStatus } from '../../../../lib/aws-error.ts'

export interface S3Request {
  /** AWS's name of the permission that it needs: PutObject. */
  readonly action: string
  readonly bucket: string
  readonly endpoint?: string
  readonly region?: string
}

/** What can go wrong before S3 has said anything, or though it said that all is well. */
type Ours = 'no region' | 'no credentials' | 'empty answer'

/** Words for people. AWS's own are left out: those about signatures repeat headers of the request, session token included. */
export function s3Failure(what: Ours, request: S3Request, error?: unknown): Error {
  switch (what) {
    case 'no region':
      return refused('no region is known: set aws_s3_region or AWS_REGION')
    case 'no credentials':
      return refused(
        `no AWS credentials (${awsErrorName(error)}): set aws_access_key_id and aws_secret_access_key, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine or pod a role`,
      )
    case 'empty answer':
      return refused(`${placeOf(request)} gave an answer to ${request.action} without what was asked for: is it S3?`)
  }
}

/** For what the SDK threw. */
export function s3FailureOf(error: unknown, request: S3Request): Error {
  const name = awsErrorName(error)
  const words = Object.hasOwn(answers, name) ? answers[name]?.(request) : undefined
  const said = `(${name}${awsRequest(error)})`
  if (words !== undefined) return refused(`${words} ${said}`)
  const code = awsConnectionError(error)
  if (code !== undefined) {
    return refused(`${placeOf(request)} cannot be reached (${code}): check endpoint, region and the network`)
  }
  const status = awsStatus(error)
  if (status === 301) return refused(`${anotherRegion(request)} ${said}`)
  return refused(`S3 ${request.action} in the bucket ${request.bucket} failed ${said}`)
}

/** Not to be told as a failure: only a courtesy is not possible. */
export const mayNot = (error: unknown): boolean =>
  ['AccessDenied', 'NotImplemented', 'MethodNotAllowed'].includes(awsErrorName(error)) ||
  [403, 405, 501].includes(awsStatus(error) ?? 0)

const refused = (words: string) => new Error(`snapshots: ${words}`)

const notAllowed = ({ action, bucket }: S3Request) =>
  `AWS does not allow s3:${action} in the bucket ${bucket}: allow it to the role of this server, and the KMS key, where there is one`
const unknownAccessKey = () => 'AWS does not know the access key or the session token'
const expired = () => 'the session token has expired: give new credentials'
const anotherRegion = ({ bucket, region }: S3Request) =>
  `the bucket ${bucket} is not in ${region ?? 'this region'}: set aws_s3_region to its own`
const kmsKey = () => 'S3 cannot use the key aws_s3_kms_key: is it there, enabled, and in the region of the bucket?'
const busy = () => 'S3 is busy, it will be asked again'

/** By the name of AWS's error. */
const answers: Readonly<Record<string, (request: S3Request) => string>> = {
  AccessDenied: notAllowed,
  AllAccessDisabled: notAllowed,
  NoSuchBucket: ({ bucket }) => `there is no bucket ${bucket}: make it, or check aws_s3_bucket and aws_s3_endpoint`,
  InvalidBucketName: ({ bucket }) => `"${bucket}" is no name of a bucket`,
  InvalidAccessKeyId: unknownAccessKey,
  InvalidToken: unknownAccessKey,
  SignatureDoesNotMatch: () => 'the secret access key does not belong to the access key',
  RequestTimeTooSkewed: () => 'the clock of this machine is wrong',
  ExpiredToken: expired,
  ExpiredTokenException: expired,
  PermanentRedirect: anotherRegion,
  AuthorizationHeaderMalformed: anotherRegion,
  IllegalLocationConstraintException: anotherRegion,
  'KMS.NotFoundException': kmsKey,
  'KMS.DisabledException': kmsKey,
  'KMS.KMSInvalidStateException': kmsKey,
  'KMS.InvalidKeyUsageException': kmsKey,
  SlowDown: busy,
  ServiceUnavailable: busy,
  InternalError: busy,
}

const placeOf = ({ endpoint, region }: S3Request) =>
  endpoint ? `S3 at ${endpoint}` : region ? `S3 in ${region}` : 'S3'
