import { describe, expect, it } from 'vitest'
import { mayNot, s3Failure, s3FailureOf } from './s3-failure.ts'

const request = { action: 'PutObject', bucket: 'safe', region: 'eu-west-1' }
const error = (name: string, more: object = {}) => Object.assign(new Error('canary'), { name }, more)

describe('a failure of S3', () => {
  it.each([
    [error('AccessDenied'), 'AWS does not allow s3:PutObject in the bucket safe'],
    [error('NoSuchBucket'), 'there is no bucket safe: make it'],
    [error('SignatureDoesNotMatch'), 'the secret access key does not belong to the access key'],
    [error('PermanentRedirect'), 'the bucket safe is not in eu-west-1: set aws_s3_region'],
    [error('Unknown', { $metadata: { httpStatusCode: 301 } }), 'the bucket safe is not in eu-west-1'],
    [error('KMS.DisabledException'), 'S3 cannot use the key aws_s3_kms_key'],
    [error('Error', { code: 'ECONNREFUSED' }), 'S3 in eu-west-1 cannot be reached (ECONNREFUSED)'],
    [error('Strange'), 'S3 PutObject in the bucket safe failed (Strange)'],
    [error('constructor'), 'failed (constructor)'],
  ])('says what to do and nothing of what AWS said: %s', (thrown, words) => {
    const { message } = s3FailureOf(thrown, request)
    expect(message).toContain(words)
    expect(message).not.toContain('canary')
  })

  it('before S3 was asked names the setting', () => {
    expect(s3Failure('no region', request).message).toContain('set aws_s3_region or AWS_REGION')
    expect(s3Failure('no credentials', request, error('CredentialsProviderError')).message).toContain(
      'no AWS credentials (CredentialsProviderError)',
    )
    expect(s3Failure('empty answer', { ...request, endpoint: 'https://x' }).message).toContain('S3 at https://x gave')
  })

  it('that only forbids a courtesy is known as such', () => {
    expect([error('AccessDenied'), error('NotImplemented')].map(mayNot)).toEqual([true, true])
    expect(mayNot(error('NoSuchBucket', { $metadata: { httpStatusCode: 404 } }))).toBe(false)
  })
})
