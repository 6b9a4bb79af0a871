import { describe, expect, it } from 'vitest'
import { envelopeOf } from '../../sdk/fake-transport.ts'
import { runFake } from '../fake-context.ts'

const team = { custom_metadata: { owner: 'a' }, id: 'abc123', locked: false, path: 'team/', tainted: false, uuid: 'u' }
const asked = (run: Awaited<ReturnType<typeof runFake>>) =>
  run.requests.map(({ method, path, body, headers }) => [method, path, body, headers['X-Vault-Namespace']])

describe('namespace', () => {
  it.each([
    [
      ['create', '-custom-metadata=owner=a', '/team/'],
      ['PUT', '/v1/sys/namespaces/team', '{"custom_metadata":{"owner":"a"}}', undefined],
    ],
    [
      ['create', '-namespace=team', 'app'],
      ['PUT', '/v1/sys/namespaces/app', '{}', 'team'],
    ],
    [
      ['lookup', 'team'],
      ['GET', '/v1/sys/namespaces/team', undefined, undefined],
    ],
    [
      ['patch', '-custom-metadata=a=b', '-remove-custom-metadata=c', 'team'],
      ['PATCH', '/v1/sys/namespaces/team', '{"custom_metadata":{"c":null,"a":"b"}}', undefined],
    ],
    [['list'], ['GET', '/v1/sys/namespaces?list=true', undefined, undefined]],
    [
      ['list', '-recursive'],
      ['GET', '/v1/sys/namespaces?scan=true', undefined, undefined],
    ],
    [
      ['delete', 'team'],
      ['DELETE', '/v1/sys/namespaces/team', undefined, undefined],
    ],
    [
      ['lock', 'team'],
      ['PUT', '/v1/sys/namespaces/api-lock/lock/team', '{}', undefined],
    ],
    [
      ['lock', '-namespace=team'],
      ['PUT', '/v1/sys/namespaces/api-lock/lock', '{}', 'team'],
    ],
    [
      ['unlock', '-unlock-key=k', 'team'],
      ['PUT', '/v1/sys/namespaces/api-lock/unlock/team', '{"unlock_key":"k"}', undefined],
    ],
  ])('%j asks as it should', async (argv, request) => {
    const run = await runFake(['namespace', ...argv], {
      answer: () => envelopeOf({ data: { ...team, keys: ['team/'] } }),
    })
    expect([run.status, asked(run)]).toEqual([0, [request]])
  })

  it('list shows keys', async () => {
    const run = await runFake(['namespace', 'list'], {
      answer: () => envelopeOf({ data: { keys: ['a/', 'b/'], key_info: {} } }),
    })
    expect(run.out).toBe('Keys\n----\na/\nb/\n')
  })

  it.each([
    [['list'], 'No namespaces found\n'],
    [['lookup', 'x'], 'Namespace not found: x\n'],
  ])('%j of nothing is 2', async (argv, err) => {
    const run = await runFake(['namespace', ...argv], { answer: () => ({ status: 404, body: '{"errors":[]}' }) })
    expect([run.status, run.err]).toEqual([2, err])
  })

  it('patch of nothing is wrong use', async () => {
    const run = await runFake(['namespace', 'patch', 'team'])
    expect([run.status, run.requests.length]).toEqual([1, 0])
  })
})

describe('what else asks the server', () => {
  it.each([
    [['unwrap', 'hvs.w'], { VAULT_TOKEN: 'own' }, ['PUT', '/v1/sys/wrapping/unwrap', '{"token":"hvs.w"}'], 'own'],
    [['unwrap'], { VAULT_TOKEN: 'hvs.w' }, ['PUT', '/v1/sys/wrapping/unwrap', '{}'], 'hvs.w'],
    [['unwrap', 'hvs.w'], { HOME: '/nonexistent' }, ['PUT', '/v1/sys/wrapping/unwrap', '{}'], 'hvs.w'],
    [['patch', 'a/b', 'x=1'], { VAULT_TOKEN: 't' }, ['PATCH', '/v1/a/b', '{"x":"1"}'], 't'],
    [
      ['secrets', 'tune', '-max-lease-ttl=2h', '-audit-non-hmac-request-keys=a', 'secret/'],
      { VAULT_TOKEN: 't' },
      ['PUT', '/v1/sys/mounts/secret/tune', '{"max_lease_ttl":"2h","audit_non_hmac_request_keys":["a"]}'],
      't',
    ],
    [
      ['secrets', 'tune', '-version=2', 'secret'],
      { VAULT_TOKEN: 't' },
      ['PUT', '/v1/sys/mounts/secret/tune', '{"options":{"version":"2"}}'],
      't',
    ],
    [
      ['auth', 'tune', '-token-type=batch', 'k'],
      { VAULT_TOKEN: 't' },
      ['PUT', '/v1/sys/auth/k/tune', '{"token_type":"batch"}'],
      't',
    ],
    [['secrets', 'move', 'a', 'b/'], { VAULT_TOKEN: 't' }, ['PUT', '/v1/sys/remount', '{"from":"a","to":"b"}'], 't'],
    [
      ['auth', 'move', 'a', 'b'],
      { VAULT_TOKEN: 't' },
      ['PUT', '/v1/sys/remount', '{"from":"auth/a","to":"auth/b"}'],
      't',
    ],
  ])('%j', async (argv, env, request, token) => {
    const run = await runFake(argv, { env, answer: () => envelopeOf({ data: { a: 'b' } }) })
    expect([run.err, run.status]).toEqual(['', 0])
    expect(run.requests.map(({ method, path, body }) => [method, path, body])).toEqual([request])
    expect(run.requests[0]?.headers['X-Vault-Token']).toBe(token)
  })

  it('path-help and auth help print the text', async () => {
    const answer = () => ({ status: 200, body: '{"help":"Request: x\\n","see_also":[],"openapi":{}}' })
    for (const argv of [
      ['path-help', '/secret/config'],
      ['auth', 'help', 'kubernetes/'],
    ]) {
      const run = await runFake(argv, { answer })
      expect([run.status, run.out]).toEqual([0, 'Request: x\n'])
      expect(run.requests[0]?.path).toMatch(/^\/v1\/(secret\/config|auth\/kubernetes\/login)\?help=1$/)
    }
  })

  it('version-history prints a table', async () => {
    const data = { keys: ['2.6.0'], key_info: { '2.6.0': { timestamp_installed: 'T', build_date: 'B' } } }
    const run = await runFake(['version-history'], { answer: () => envelopeOf({ data }) })
    expect(run.out).toBe(
      'Version    Installation Time    Build Date\n-------    -----------------    ----------\n2.6.0      T                    B\n',
    )
  })
})
