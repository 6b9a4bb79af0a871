import { describe, expect, it } from 'vitest'
import { stringifyJson } from '../../../../lib/json/stringify.ts'
import { KeptJson, RawJson } from '../../../../lib/json/value.ts'
import type { AuditedRequest, AuditedResponse } from '../../../contracts/audit.ts'
import { rootNamespace } from '../../../contracts/epochs.ts'
import { fakeAudited, fakeAuth } from '../../../contracts/fake-audited.ts'
import { fakeMount } from '../../../contracts/fake-call.ts'
import { readDeviceOptions } from '../device-options.ts'
import { exchangeLines, lineOptions } from './audit-line.ts'
import { LineHasher } from './line-hasher.ts'

const device = (salt: number, given: Record<string, string> = {}) =>
  lineOptions(readDeviceOptions(given, 'file', undefined), new LineHasher(Buffer.alloc(32, salt)))
const clear = (...auditNonHmacResponseKeys: string[]) =>
  fakeMount({ config: { ...fakeMount().config, auditNonHmacResponseKeys } })
const request = (mount: AuditedRequest['mount']) => fakeAudited({ path: 'auth/token/lookup-self', mount })
const response = (data: AuditedResponse['data']): AuditedResponse => ({ at: 2000, data, warnings: [] })

describe('an answer most of whose members are kept', () => {
  const kept = new RawJson('{"id":"canary","names":["canary","b"],"meta":{"id":"canary"},"uses":3}')
  const answers = [1, 2, 1].map((ttl) => new KeptJson(kept, `"ttl":${ttl}`))

  it('is one object, with what changes', () => {
    expect(answers.map((answer) => stringifyJson(answer))).toEqual(
      [1, 2, 1].map((ttl) => `${kept.text.slice(0, -1)},"ttl":${ttl}}`),
    )
  })

  it('says on each device and for each mount, however often, what one that is not kept says', () => {
    const devices = [device(1), device(2), device(1, { log_raw: 'true' }), device(1, { hmac_accessor: 'false' })]
    const mounts = [clear(), clear('id'), clear('names', 'ttl'), clear(), undefined]
    for (const answer of answers) {
      for (const mount of [...mounts, ...mounts.toReversed()]) {
        for (const options of devices) {
          const plain = exchangeLines(request(mount), response(new RawJson(answer.text)), options)
          expect(exchangeLines(request(mount), response(answer), options)).toEqual(plain)
        }
      }
    }
    const [, line] = exchangeLines(request(clear()), response(answers[0]), device(1))
    expect(line).not.toContain('canary')
  })
})

describe('the policies that allowed a request', () => {
  it('are those of this request, also when others were told before', () => {
    const options = device(1)
    const told = (...names: string[]) => {
      const granting = names.map((name) => ({ name, namespace: rootNamespace, type: 'acl' }))
      const auth = fakeAuth({ policyResults: { allowed: names.length > 0, granting } })
      const asked = { ...request(undefined), auth }
      const results = () => {
        const [line = ''] = exchangeLines(asked, response(undefined), options)
        return JSON.parse(`${line}}`).auth.policy_results
      }
      expect(results()).toEqual(results())
      return results()
    }
    const granted = (name: string) => ({ name, namespace_id: 'root', type: 'acl' })
    expect(told('a"')).toEqual({ allowed: true, granting_policies: [granted('a"')] })
    expect(told('b', 'c')).toEqual({ allowed: true, granting_policies: [granted('b'), granted('c')] })
    expect(told()).toEqual({ allowed: false })
  })
})
