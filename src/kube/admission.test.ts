import { describe, expect, it } from 'vitest'
import { silentLog } from '../lib/log.ts'
import { type AdmissionRequest, type AdmissionVerdict, review } from './admission.ts'

const signal = new AbortController().signal
const document = (version = 'v1', request: object = {}) => ({
  kind: 'AdmissionReview',
  apiVersion: `admission.k8s.io/${version}`,
  request: {
    uid: 'u-1',
    kind: { group: '', version: 'v1', kind: 'Pod' },
    resource: { group: '', version: 'v1', resource: 'pods' },
    operation: 'CREATE',
    namespace: 'ns',
    userInfo: { username: 'system:serviceaccount:ns:sa' },
    object: { kind: 'Pod' },
    ...request,
  },
})

async function ask(verdict: AdmissionVerdict | Error, body: unknown = document(), contentType = 'application/json') {
  const seen: AdmissionRequest[] = []
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const handler = async (request: AdmissionRequest) => {
    seen.push(request)
    if (verdict instanceof Error) throw verdict
    return verdict
  }
  const result = await review(handler, { contentType, body: text }, silentLog, signal)
  return { ...result, seen, answer: result.json ? JSON.parse(result.body) : undefined }
}

describe('admission review', () => {
  it.each(['v1', 'v1beta1'])('answers %s in the version it was asked in, with the patch in base64', async (version) => {
    const patch = [{ op: 'add', path: '/metadata/annotations/x', value: 'é' }]
    const { status, answer, seen } = await ask({ allowed: true, patch, warnings: ['careful'] }, document(version))
    expect(status).toBe(200)
    expect(answer).toMatchObject({
      kind: 'AdmissionReview',
      apiVersion: `admission.k8s.io/${version}`,
      response: { uid: 'u-1', allowed: true, patchType: 'JSONPatch', warnings: ['careful'] },
    })
    expect(JSON.parse(Buffer.from(answer.response.patch, 'base64').toString('utf8'))).toEqual(patch)
    expect(seen[0]).toMatchObject({
      namespace: 'ns',
      operation: 'CREATE',
      dryRun: false,
      username: 'system:serviceaccount:ns:sa',
      object: { kind: 'Pod' },
    })
  })

  it('a denial carries its message and no patch', async () => {
    const { answer } = await ask({ allowed: false, message: 'no role', patch: [{ op: 'test' }] })
    expect(answer.response).toEqual({ uid: 'u-1', allowed: false, status: { message: 'no role' } })
  })

  it('an allowed pod without changes gets a bare yes', async () => {
    const { answer } = await ask({ allowed: true, patch: [] })
    expect(answer.response).toEqual({ uid: 'u-1', allowed: true })
  })

  it('a handler that fails denies, and tells nobody why', async () => {
    const { answer, body } = await ask(new Error('canary-91'))
    expect(answer.response.allowed).toBe(false)
    expect(body).not.toContain('canary')
  })

  it.each([
    ['text/plain', document(), 400, 'Invalid content-type: "text/plain"\n'],
    ['application/json', '', 400, 'Empty request body\n'],
    ['application/json', '{canary', 500, 'error decoding admission request: the body is no JSON\n'],
    ['application/json', '[]', 500, 'error decoding admission request: the body is no object\n'],
    ['application/json', document('v2'), 500, expect.stringContaining('no AdmissionReview')],
    ['application/json', { ...document(), request: {} }, 500, expect.stringContaining('no request')],
  ])('refuses %s %o with %i', async (contentType, body, status, text) => {
    const result = await ask({ allowed: true }, body, contentType)
    expect([result.status, result.body, result.seen.length]).toEqual([status, text, 0])
  })
})
