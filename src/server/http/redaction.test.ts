import { describe, expect, it } from 'vitest'
import { redact } from './redaction.ts'

const all = { addresses: true, clusterName: true, version: true }
const bodyAt = (path: string, document: unknown, redaction = all) => {
  const body = typeof document === 'string' ? document : JSON.stringify(document)
  return String(redact(redaction, path, { status: 200, headers: {}, body }).body).trim()
}
const health = { version: '2.6.0', cluster_name: 'c', leader_address: 'https://a' }

describe('a redacting listener', () => {
  it.each([
    '/v1/sys/health',
    '/v1/team/sys/health',
    '/v1/a/b/sys/seal-status',
    '/v1/team%2Fsys/leader',
    '/v1/sys/health/',
  ])('blanks %s, of whatever namespace', (path) => {
    expect(JSON.parse(bodyAt(path, health))).toEqual({ version: '', cluster_name: '', leader_address: '' })
  })

  it('leaves alone what clients keep at such a path, to the digit', () => {
    const secret = '{"data":{"version":"mine","n":1.00,"cluster_name":"c"},"auth":null}'
    expect(bodyAt('/v1/secret/sys/health', secret)).toBe(secret)
  })

  it('tells no version in the description of the API, and leaves the rest of it', () => {
    const document = { openapi: '3.0.2', info: { title: 't', version: '2.6.0' }, paths: { '/a': { version: 'x' } } }
    const blank = { ...document, info: { title: 't', version: '' } }
    expect(JSON.parse(bodyAt('/v1/sys/internal/specs/openapi', document))).toEqual(blank)
    expect(JSON.parse(bodyAt('/v1/team/sys/internal/specs/openapi', document))).toEqual(blank)
    expect(JSON.parse(bodyAt('/v1/sys/internal/specs/openapi', document, { ...all, version: false }))).toEqual(document)
  })
})
