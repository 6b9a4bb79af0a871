import { describe, expect, it } from 'vitest'
import { envelopeOf } from '../sdk/fake-transport.ts'
import { runFake } from './fake-context.ts'

describe('what changes the server', () => {
  it.each([
    [
      ['secrets', 'enable', '-path=secret', '-version=2', 'kv'],
      'PUT /v1/sys/mounts/secret {"type":"kv","description":"","local":false,"seal_wrap":false,"config":{},"options":{"version":"2"}}',
      'Success! Enabled the kv secrets engine at: secret/\n',
    ],
    [
      ['secrets', 'disable', 'kv/'],
      'DELETE /v1/sys/mounts/kv ',
      'Success! Disabled the secrets engine (if it existed) at: kv/\n',
    ],
    [
      ['auth', 'enable', 'kubernetes'],
      'PUT /v1/sys/auth/kubernetes {"type":"kubernetes","description":"","local":false,"seal_wrap":false,"config":{}}',
      'Success! Enabled kubernetes auth method at: kubernetes/\n',
    ],
    [
      ['auth', 'disable', 'k8s'],
      'DELETE /v1/sys/auth/k8s ',
      'Success! Disabled the auth method (if it existed) at: k8s/\n',
    ],
    [
      ['audit', 'enable', 'file', 'file_path=/tmp/a.log'],
      'PUT /v1/sys/audit/file {"type":"file","description":"","local":false,"options":{"file_path":"/tmp/a.log"}}',
      'Success! Enabled the file audit device at: file/\n',
    ],
    [
      ['audit', 'disable', 'file'],
      'DELETE /v1/sys/audit/file ',
      'Success! Disabled audit device (if it was enabled) at: file/\n',
    ],
    [
      ['policy', 'write', 'My', '-'],
      'PUT /v1/sys/policies/acl/my {"policy":"path \\"a\\" {}"}',
      'Success! Uploaded policy: my\n',
    ],
    [['policy', 'delete', 'my'], 'DELETE /v1/sys/policies/acl/my ', 'Success! Deleted policy: my\n'],
    [['token', 'revoke', '-self'], 'PUT /v1/auth/token/revoke-self {}', 'Success! Revoked token (if it existed)\n'],
    [
      ['token', 'revoke', '-accessor', 'acc'],
      'PUT /v1/auth/token/revoke-accessor {"accessor":"acc"}',
      'Success! Revoked token (if it existed)\n',
    ],
  ])('%j', async (argv, request, said) => {
    const run = await runFake(argv, { stdin: 'path "a" {}' })
    expect(run.requests.map((r) => `${r.method} ${r.path} ${r.body ?? ''}`)).toEqual([request])
    expect([run.status, run.out]).toEqual([0, said])
  })
})

describe('what shows the server', () => {
  const mount = { type: 'kv', accessor: 'kv_1a2b3c4d', description: '', config: {}, options: { version: '2' } }

  it.each([
    [
      ['secrets', 'list'],
      { 'secret/': mount },
      'Path       Type    Accessor       Description\n----       ----    --------       -----------\nsecret/    kv      kv_1a2b3c4d    n/a\n',
    ],
    [['policy', 'list'], { keys: ['default', 'root'] }, 'default\nroot\n'],
    [['policy', 'read', 'p'], { name: 'p', policy: 'path "a" {}\n' }, 'path "a" {}\n'],
    [['token', 'capabilities', 'a/b'], { 'a/b': ['update', 'read'], capabilities: ['x'] }, 'read, update\n'],
  ])('%j', async (argv, data, out) => {
    expect((await runFake(argv, { answer: () => envelopeOf({ data }) })).out).toBe(out)
  })

  it('no audit device is 2', async () => {
    const run = await runFake(['audit', 'list'], { answer: () => envelopeOf({ data: {} }) })
    expect([run.status, run.err]).toEqual([2, 'No audit devices are enabled.\n'])
  })
})

describe('tokens', () => {
  const auth = {
    client_token: 'hvs.new',
    accessor: 'acc',
    policies: ['default', 'p'],
    token_policies: ['p'],
    lease_duration: 3600,
    renewable: true,
    metadata: { b: '2', a: '1' },
  }

  it('create sends what was asked and prints a table', async () => {
    const argv = [
      'token',
      'create',
      '-policy=p',
      '-policy',
      'q',
      '-ttl=1h',
      '-metadata=a=1',
      '-renewable=false',
      '-orphan',
    ]
    const { out, requests } = await runFake(argv, { answer: () => envelopeOf({ auth }) })
    expect(requests[0]).toMatchObject({
      path: '/v1/auth/token/create-orphan',
      body: '{"ttl":"1h","policies":["p","q"],"meta":{"a":"1"},"renewable":false,"no_parent":true}',
    })
    expect(out).toBe(`Key                  Value
---                  -----
token                hvs.new
token_accessor       acc
token_duration       1h
token_renewable      true
token_policies       ["p"]
identity_policies    []
policies             ["default" "p"]
token_meta_a         1
token_meta_b         2
`)
  })

  it('create -field=token prints only it', async () => {
    expect((await runFake(['token', 'create', '-field=token'], { answer: () => envelopeOf({ auth }) })).out).toBe(
      'hvs.new',
    )
  })

  it('lookup and renew take oneself, a token or an accessor', async () => {
    const paths = async (...argv: string[]) => {
      const run = await runFake(['token', ...argv], { answer: () => envelopeOf({ data: {} }), stdin: 't' })
      return `${run.requests[0]?.method} ${run.requests[0]?.path} ${run.requests[0]?.body ?? ''}`
    }
    expect(await paths('lookup')).toBe('GET /v1/auth/token/lookup-self ')
    expect(await paths('lookup', '-')).toBe('PUT /v1/auth/token/lookup {"token":"t"}')
    expect(await paths('lookup', '-accessor', 'a')).toBe('PUT /v1/auth/token/lookup-accessor {"accessor":"a"}')
    expect(await paths('renew', '-increment=1h')).toBe('PUT /v1/auth/token/renew-self {"increment":"1h"}')
    expect(await paths('renew', 'x')).toBe('PUT /v1/auth/token/renew {"token":"x"}')
  })
})
