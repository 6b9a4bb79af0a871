import { describe, expect, it } from 'vitest'
import { envelopeOf } from '../../../sdk/fake-transport.ts'
import { runFake } from '../../fake-context.ts'
import { kvServer, refusal } from '../fake-kv.ts'

const version = { created_time: '2026-01-02T03:04:05Z', deletion_time: '', destroyed: false }
const metadata = {
  cas_required: false,
  created_time: '2026-01-02T03:04:05Z',
  current_version: 10,
  custom_metadata: { owner: 'team' },
  delete_version_after: '0s',
  max_versions: 0,
  oldest_version: 9,
  updated_time: '2026-01-02T03:04:05Z',
  versions: { '9': version, '10': version },
}

describe('kv metadata get', () => {
  const answer = kvServer(() => envelopeOf({ data: metadata }))

  it('prints the path, the settings and each version in order', async () => {
    const { status, out, requests } = await runFake(['kv', 'metadata', 'get', '-mount=secret', 'app'], { answer })
    expect([status, requests[1]?.path]).toEqual([0, '/v1/secret/metadata/app'])
    expect(out).toBe(`== Metadata Path ==
secret/metadata/app

========== Metadata ==========
Key                     Value
---                     -----
cas_required            false
created_time            2026-01-02T03:04:05Z
current_version         10
custom_metadata         map[owner:team]
delete_version_after    0s
max_versions            0
oldest_version          9
updated_time            2026-01-02T03:04:05Z

====== Version 9 ======
Key              Value
---              -----
created_time     2026-01-02T03:04:05Z
deletion_time    n/a
destroyed        false

===== Version 10 =====
Key              Value
---              -----
created_time     2026-01-02T03:04:05Z
deletion_time    n/a
destroyed        false
`)
  })

  it('prints one field, or the whole answer as JSON', async () => {
    expect((await runFake(['kv', 'metadata', 'get', '-field=current_version', 'secret/app'], { answer })).out).toBe(
      '10',
    )
    const json = await runFake(['kv', 'metadata', 'get', '-format=json', 'secret/app'], { answer })
    expect(JSON.parse(json.out).data).toEqual(metadata)
  })

  it('of nothing is 2, of version 1 is 1', async () => {
    const none = kvServer(() => ({ status: 404, body: '{"errors":[]}' }))
    const run = await runFake(['kv', 'metadata', 'get', 'secret/app'], { answer: none })
    expect([run.status, run.err.trim()]).toEqual([2, 'No value found at secret/metadata/app'])
    const one = await runFake(['kv', 'metadata', 'get', 'old/app'], { answer })
    expect([one.status, one.err.trim()]).toEqual([1, 'Metadata not supported on KV Version 1'])
  })
})

describe('kv metadata put and patch', () => {
  const answer = kvServer(() => ({ status: 204 }))
  const settings = ['-max-versions=5', '-cas-required', '-delete-version-after=3h', '-custom-metadata=a=b=c']

  it('send only what was given', async () => {
    const put = await runFake(['kv', 'metadata', 'put', ...settings, 'secret/app'], { answer })
    expect(put.requests[1]).toMatchObject({
      method: 'PUT',
      path: '/v1/secret/metadata/app',
      body: '{"max_versions":5,"cas_required":true,"delete_version_after":"3h","custom_metadata":{"a":"b=c"}}',
    })
    expect([put.status, put.out]).toEqual([0, 'Success! Data written to: secret/metadata/app\n'])
    const none = await runFake(
      ['kv', 'metadata', 'put', '-max-versions=-1', '-delete-version-after=-1s', 'secret/app'],
      {
        answer,
      },
    )
    expect(none.requests[1]?.body).toBe('{}')
    const patch = await runFake(
      [
        'kv',
        'metadata',
        'patch',
        '-cas-required=false',
        '-custom-metadata=a=b',
        '-remove-custom-metadata=c',
        'secret/app',
      ],
      { answer },
    )
    expect(patch.requests[1]).toMatchObject({
      method: 'PATCH',
      body: '{"cas_required":false,"custom_metadata":{"a":"b","c":null}}',
    })
    expect(patch.out).toBe('Success! Data written to: secret/metadata/app\n')
  })

  it.each(['put', 'patch', 'delete', 'list'])('%s is not for version 1', async (verb) => {
    const run = await runFake(['kv', 'metadata', verb, 'old/app'], { answer })
    expect([run.status, run.err.trim()]).toEqual([1, 'Metadata not supported on KV Version 1'])
  })

  it('end with 2 when the server refuses', async () => {
    const no = kvServer(() => refusal(400, 'custom_metadata validation failed'))
    const run = await runFake(['kv', 'metadata', 'put', 'secret/app'], { answer: no })
    expect([run.status, run.err.includes('custom_metadata validation failed')]).toEqual([2, true])
  })
})

describe('kv metadata delete and list', () => {
  it('removes a key for good', async () => {
    const { out, requests } = await runFake(['kv', 'metadata', 'delete', 'secret/app'], {
      answer: kvServer(() => ({ status: 204 })),
    })
    expect(requests[1]).toMatchObject({ method: 'DELETE', path: '/v1/secret/metadata/app' })
    expect(out).toBe('Success! Data deleted (if it existed) at: secret/metadata/app\n')
  })

  it('lists keys with what is known of them', async () => {
    const answer = kvServer(() =>
      envelopeOf({ data: { keys: ['app', 'dir/'], key_info: { app: metadata, 'dir/': {} } } }),
    )
    const { out, requests } = await runFake(['kv', 'metadata', 'list', 'secret/'], { answer })
    expect(requests[1]?.path).toBe('/v1/secret/detailed-metadata?list=true')
    expect(out).toBe(
      [
        'Key     Version    Updated                 Custom metadata',
        '---     -------    -------                 ---------------',
        'app     10         2026-01-02T03:04:05Z    map[owner:team]',
        'dir/    n/a        n/a                     n/a',
        '',
      ].join('\n'),
    )
    const none = kvServer(() => ({ status: 404, body: '{"errors":[]}' }))
    expect((await runFake(['kv', 'metadata', 'list', 'secret/'], { answer: none })).status).toBe(2)
  })

  it('is a group of its own, with help', async () => {
    const help = await runFake(['kv', 'metadata', '-h'])
    expect([help.status, help.out.includes('kv metadata <subcommand>'), help.out.includes('patch ')]).toEqual([
      0,
      true,
      true,
    ])
    const wrong = await runFake(['kv', 'metadata', 'gte', 'secret/app'])
    expect([wrong.status, wrong.err]).toEqual([
      127,
      'Unknown command: kv metadata gte\n\nDid you mean "vault kv metadata get"?\n',
    ])
  })
})
