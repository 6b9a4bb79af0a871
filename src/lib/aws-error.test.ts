import { describe, expect, it } from 'vitest'
import { awsConnectionError, awsErrorName, awsRequest, awsStatus } from './aws-error.ts'

const error = (name: string, more: object = {}) => Object.assign(new Error('canary'), { name }, more)

describe("an error of AWS's SDK", () => {
  it('is told by its name, its request and its status, never by its message', () => {
    const denied = error('AccessDenied', { $metadata: { requestId: '4442587FB7D0A2F9', httpStatusCode: 403 } })
    expect([awsErrorName(denied), awsRequest(denied), awsStatus(denied)]).toEqual([
      'AccessDenied',
      ', request 4442587FB7D0A2F9',
      403,
    ])
    expect(awsConnectionError(denied)).toBeUndefined()
  })

  it('is told by the code of its connection', () => {
    expect(awsConnectionError(error('Error', { code: 'ECONNREFUSED' }))).toBe('ECONNREFUSED')
    expect(awsConnectionError(error('TimeoutError'))).toBe('timeout')
  })

  it('whose name, code or id is not one is not repeated', () => {
    const odd = error('a canary\nof a name', {
      code: 'canary ',
      $metadata: { requestId: 'ca nary', httpStatusCode: '1' },
    })
    expect([awsErrorName(odd), awsConnectionError(odd), awsRequest(odd), awsStatus(odd)]).toEqual([
      'unknown error',
      undefined,
      '',
      undefined,
    ])
    expect(awsErrorName('canary')).toBe('unknown error')
  })
})
