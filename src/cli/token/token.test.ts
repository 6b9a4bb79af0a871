import { describe, expect, it } from 'vitest'
import { envelopeOf } from '../../sdk/fake-transport.ts'
import { runFake } from '../fake-context.ts'

const auth = {
  client_token: 'hvb.new',
  accessor: '',
  policies: ['default', 'p', 'q'],
  token_policies: ['default', 'p'],
  identity_policies: ['q'],
  lease_duration: 3600,
  renewable: false,
  metadata: null,
}
const ask = async (...argv: string[]) => {
  const run = await runFake(['token', ...argv], { answer: () => envelopeOf({ data: { keys: [] } }), stdin: ' t\n' })
  const [request] = run.requests
  return request ? `${request.method} ${request.path} ${request.body ?? ''}` : `${run.status} ${run.err.split('\n')[0]}`
}

describe('token create', () => {
  it.each([
    ['-id=mine', '{"id":"mine"}'],
    ['-display-name=a b', '{"display_name":"a b"}'],
    ['-ttl=90', '{"ttl":"90"}'],
    ['-explicit-max-ttl=2h', '{"explicit_max_ttl":"2h"}'],
    ['-period=24h', '{"period":"24h"}'],
    ['-renewable=false', '{"renewable":false}'],
    ['-no-default-policy', '{"no_default_policy":true}'],
    ['-use-limit=3', '{"num_uses":3}'],
    ['-type=batch', '{"type":"batch"}'],
    ['-metadata=team=a', '{"meta":{"team":"a"}}'],
    ['-policy=p', '{"policies":["p"]}'],
  ])('%s sends %s', async (flag, body) => {
    expect(await ask('create', flag)).toBe(`PUT /v1/auth/token/create ${body}`)
  })

  it('by a role goes to the role, also with an alias or as an orphan', async () => {
    expect(await ask('create', '-role=web', '-entity-alias=bob')).toBe(
      'PUT /v1/auth/token/create/web {"entity_alias":"bob"}',
    )
    expect(await ask('create', '-role=web', '-orphan')).toBe('PUT /v1/auth/token/create/web {"no_parent":true}')
    expect(await ask('create', '-orphan')).toBe('PUT /v1/auth/token/create-orphan {"no_parent":true}')
  })

  it.each([
    [['create', 'x'], '1 Too many arguments (expected 0, got 1)'],
    [['create', '-ttl=soon'], '1 invalid value "soon" for flag -ttl: want a duration such as 30s, 1h or 90 (seconds)'],
    [['create', '-use-limit=x'], '1 invalid value "x" for flag -use-limit: want a whole number'],
  ])('%j is a mistake', async (argv, said) => {
    expect(await ask(...argv)).toBe(said)
  })

  it('shows what the entity adds', async () => {
    const { out } = await runFake(['token', 'create'], { answer: () => envelopeOf({ auth }) })
    expect(out).toBe(`Key                  Value
---                  -----
token                hvb.new
token_accessor       n/a
token_duration       1h
token_renewable      false
token_policies       ["default" "p"]
identity_policies    ["q"]
policies             ["default" "p" "q"]
`)
  })

  it('prints the whole answer as JSON', async () => {
    const { out } = await runFake(['token', 'create', '-format=json'], { answer: () => envelopeOf({ auth }) })
    expect(JSON.parse(out)).toMatchObject({ data: null, auth })
  })

  it('is 2 when the server refuses, and the words are on stderr', async () => {
    const run = await runFake(['token', 'create', '-type=batch', '-period=1h'], {
      answer: () => ({ status: 400, body: '{"errors":["batch tokens cannot have \\"period\\" set"]}' }),
    })
    expect([run.status, run.out]).toEqual([2, ''])
    expect(run.err).toContain('Error creating token')
    expect(run.err).toContain('* batch tokens cannot have "period" set')
  })
})

describe('token lookup, renew, revoke and capabilities', () => {
  it.each([
    [['lookup'], 'GET /v1/auth/token/lookup-self '],
    [['lookup', 'x'], 'PUT /v1/auth/token/lookup {"token":"x"}'],
    [['lookup', '-accessor', 'x'], 'PUT /v1/auth/token/lookup-accessor {"accessor":"x"}'],
    [['lookup', '-accessor'], '1 Not enough arguments with -accessor (expected 1, got 0)'],
    [['lookup', 'x', 'y'], '1 Too many arguments (expected 1, got 2)'],
    [['renew'], 'PUT /v1/auth/token/renew-self {}'],
    [['renew', '-i', '5m', 'x'], 'PUT /v1/auth/token/renew {"token":"x","increment":"5m"}'],
    [
      ['renew', '-accessor', '-increment=60', 'x'],
      'PUT /v1/auth/token/renew-accessor {"accessor":"x","increment":"60"}',
    ],
    [['renew', '-accessor'], '1 Not enough arguments with -accessor (expected 1, got 0)'],
    [['revoke', '-self'], 'PUT /v1/auth/token/revoke-self {}'],
    [['revoke', '-'], 'PUT /v1/auth/token/revoke {"token":"t"}'],
    [['revoke', '-accessor', 'x'], 'PUT /v1/auth/token/revoke-accessor {"accessor":"x"}'],
    [['revoke', '-mode=orphan', 'x'], 'PUT /v1/auth/token/revoke-orphan {"token":"x"}'],
    [['revoke'], '1 Not enough arguments (expected 1 or -self)'],
    [['revoke', '-self', 'x'], '1 Too many arguments with -self (expected 0, got 1)'],
    [['revoke', '-self', '-accessor'], '1 Cannot use -self with -accessor!'],
    [['revoke', '-self', '-mode=orphan'], '1 Cannot use -self with -mode!'],
    [['revoke', '-accessor', '-mode=orphan', 'x'], '1 Cannot use -accessor with -mode=orphan!'],
    [['revoke', '-mode=path', 'x'], '1 Invalid mode: path (orphan)'],
    [['capabilities', 'a/b'], 'PUT /v1/sys/capabilities-self {"path":"a/b"}'],
    [['capabilities', 'x', 'a/b'], 'PUT /v1/sys/capabilities {"token":"x","path":"a/b"}'],
    [['capabilities', '-accessor', 'x', 'a/b'], 'PUT /v1/sys/capabilities-accessor {"accessor":"x","path":"a/b"}'],
    [['capabilities', '-accessor', 'a/b'], '1 Not enough arguments (expected 2, got 1)'],
  ])('%j', async (argv, said) => {
    expect(await ask(...argv)).toBe(said)
  })

  it('capabilities are a sorted list as JSON', async () => {
    const answer = () => envelopeOf({ data: { a: ['update', 'read'], capabilities: ['update', 'read'] } })
    const { out } = await runFake(['token', 'capabilities', '-format=json', 'a'], { answer })
    expect(JSON.parse(out)).toEqual(['read', 'update'])
  })
})
