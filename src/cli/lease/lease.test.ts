import { describe, expect, it } from 'vitest'
import { envelopeOf } from '../../sdk/fake-transport.ts'
import { runFake } from '../fake-context.ts'

const id = 'database/creds/r/abc'

describe('lease revoke', () => {
  it.each([
    [
      [id],
      `PUT /v1/sys/leases/revoke {"lease_id":"${id}","sync":false}`,
      'All revocation operations queued successfully!\n',
    ],
    [['-sync', id], `PUT /v1/sys/leases/revoke {"lease_id":"${id}","sync":true}`, `Success! Revoked lease: ${id}\n`],
    [
      ['-prefix', 'database/creds'],
      'PUT /v1/sys/leases/revoke-prefix/database/creds {"sync":false}',
      'All revocation operations queued successfully!\n',
    ],
    [
      ['-prefix', '-sync', 'database/creds'],
      'PUT /v1/sys/leases/revoke-prefix/database/creds {"sync":true}',
      'Success! Revoked any leases with prefix: database/creds\n',
    ],
    [
      ['-f', '-prefix', 'database/creds'],
      'PUT /v1/sys/leases/revoke-force/database/creds {}',
      'Success! Force revoked any leases with prefix: database/creds\n',
    ],
  ])('%j', async (argv, request, said) => {
    const run = await runFake(['lease', 'revoke', ...argv])
    expect(run.requests.map((r) => `${r.method} ${r.path} ${r.body ?? ''}`)).toEqual([request])
    expect([run.status, run.out]).toEqual([0, said])
  })

  it('by force of a single lease is wrong use', async () => {
    const run = await runFake(['lease', 'revoke', '-force', id])
    expect([run.status, run.requests.length]).toEqual([1, 0])
    expect(run.err).toContain('Specifying -force requires also specifying -prefix')
  })

  it('that the server refuses ends with 2', async () => {
    const answer = () => ({ status: 403, body: '{"errors":["permission denied"]}' })
    const run = await runFake(['lease', 'revoke', id], { answer })
    expect(run.status).toBe(2)
    expect(run.err).toContain(`Error revoking lease ${id}`)
  })

  it('of nothing is wrong use', async () => {
    expect((await runFake(['lease', 'revoke'])).status).toBe(1)
    expect((await runFake(['lease', 'revoke', 'a', 'b'])).status).toBe(1)
  })
})

describe('lease renew', () => {
  it('asks for seconds and prints the lease', async () => {
    const run = await runFake(['lease', 'renew', '-increment=1h', id], {
      answer: () => envelopeOf({ lease_id: id, lease_duration: 3600, renewable: true, data: null }),
    })
    expect(run.requests.map((r) => `${r.method} ${r.path} ${r.body}`)).toEqual([
      `PUT /v1/sys/leases/renew {"increment":3600,"lease_id":"${id}"}`,
    ])
    expect(run.out).toBe(
      `Key                Value\n---                -----\nlease_id           ${id}\nlease_duration     1h\nlease_renewable    true\n`,
    )
  })

  it('of a lost lease ends with 2 and says why', async () => {
    const answer = () => ({ status: 400, body: '{"errors":["lease not found"]}' })
    const run = await runFake(['lease', 'renew', id], { answer })
    expect(run.status).toBe(2)
    expect(run.err).toContain(`Error renewing ${id}`)
    expect(run.err).toContain('lease not found')
  })
})

describe('lease lookup', () => {
  it('prints what the server knows', async () => {
    const data = { id, issue_time: 'then', expire_time: 'later', last_renewal: null, renewable: true, ttl: 3558 }
    const run = await runFake(['lease', 'lookup', '-field=ttl', id], { answer: () => envelopeOf({ data }) })
    expect(run.requests.map((r) => `${r.path} ${r.body}`)).toEqual([`/v1/sys/leases/lookup {"lease_id":"${id}"}`])
    expect([run.status, run.out]).toEqual([0, '3558'])
  })
})
