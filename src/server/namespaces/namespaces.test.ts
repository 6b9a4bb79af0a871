import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestServer } from '../pipeline/test-server.ts'

let server: TestServer
beforeEach(async () => {
  server = await TestServer.start()
})
afterEach(() => server.close())

const make = (path: string, body: unknown = {}) => server.call('POST', `sys/namespaces/${path}`, body)
const within = (namespace: string, method: string, path: string, body?: unknown, token?: string) =>
  server.call(method, path, body, token, { 'X-Vault-Namespace': namespace })
const denied = { status: 403, body: { errors: ['1 error occurred:\n\t* permission denied\n\n'] } }
const badToken = { status: 403, body: { errors: ['permission denied'] } }

describe('a namespace', () => {
  it('is made, shown, listed and changed', async () => {
    const made = await make('team', { custom_metadata: { owner: 'a' } })
    expect(made).toMatchObject({
      status: 200,
      body: { data: { path: 'team/', custom_metadata: { owner: 'a' }, locked: false, tainted: false } },
    })
    expect(made.body.data.id).toMatch(/^[0-9A-Za-z]{6}$/)
    expect((await server.call('GET', 'sys/namespaces/team')).body.data).toEqual(made.body.data)
    await make('team/app')
    expect((await server.call('LIST', 'sys/namespaces')).body.data.keys).toEqual(['team/'])
    expect((await server.call('SCAN', 'sys/namespaces')).body.data.keys).toEqual(['team/', 'team/app/'])
    expect((await within('team', 'LIST', 'sys/namespaces')).body.data.keys).toEqual(['app/'])
    const changed = await server.call(
      'PATCH',
      'sys/namespaces/team',
      { custom_metadata: { owner: null, cost: '7' } },
      undefined,
      {
        'Content-Type': 'application/merge-patch+json',
      },
    )
    expect(changed.body.data.custom_metadata).toEqual({ cost: '7' })
    expect(changed.body.data.id).toBe(made.body.data.id)
  })

  it('keeps its id when it is made again', async () => {
    const first = await make('team')
    expect((await make('team', { custom_metadata: { a: 'b' } })).body.data).toEqual({
      ...first.body.data,
      custom_metadata: { a: 'b' },
    })
  })

  it.each([
    ['root', 'it is reserved'],
    ['sys', 'it is reserved'],
    ['api-lock', 'it is reserved'],
    [
      'a%20b',
      'a name is one path segment without spaces, control characters, "*" and "+", and does not begin with a dot',
    ],
    ['a+', 'a name is one path segment without spaces, control characters, "*" and "+", and does not begin with a dot'],
  ])('cannot be called %j', async (name, why) => {
    expect(await make(name)).toMatchObject({
      status: 400,
      body: { errors: [`invalid namespace name ${JSON.stringify(decodeURIComponent(name))}: ${why}`] },
    })
  })

  it('needs its parent', async () => {
    expect((await make('no/app')).body.errors).toEqual([`parent namespace "no/" doesn't exist: make it first`])
  })

  it('cannot be made where a mount is, nor a mount where it is', async () => {
    expect((await make('test')).body.errors).toEqual(['path is already in use at test/'])
    await make('team')
    expect((await server.call('POST', 'sys/mounts/team', { type: 'test' })).body.errors).toEqual([
      'path is already in use at namespace team/',
    ])
    // What would be "team/x" is asked of the namespace itself.
    expect((await server.call('POST', 'team/sys/mounts/x', { type: 'test' })).status).toBe(204)
    expect((await server.call('GET', 'sys/mounts')).body.data['team/x/']).toBeUndefined()
  })

  it.each([
    [{ custom_metadata: 'x' }, 'custom_metadata must be an object of strings'],
    [{ custom_metadata: { a: 1 } }, 'custom_metadata has a value of another kind than string at "a"'],
    [{ custom_metadata: { a: 'x'.repeat(513) } }, 'custom_metadata has a value of more than 512 characters at "a"'],
  ])('refuses %j', async (body, error) => {
    expect(await make('team', body)).toMatchObject({ status: 400, body: { errors: [error] } })
  })

  it('that does not exist is 404, by header and by path', async () => {
    expect(await within('nope', 'GET', 'sys/mounts')).toMatchObject({
      status: 404,
      body: { errors: ['namespace not found'] },
    })
    expect((await server.call('GET', 'sys/namespaces/nope')).status).toBe(404)
    expect((await server.call('GET', 'nope/sys/mounts')).status).toBe(404)
  })

  it('whose name is not ASCII is found by header, whose bytes are UTF-8 as in the path', async () => {
    await make(encodeURIComponent('команда'))
    const header = Buffer.from('команда').toString('latin1')
    const answer = await within(header, 'GET', 'sys/mounts')
    expect(answer).toMatchObject({ status: 200, headers: { 'X-Vault-Namespace': header } })
    expect(await within('\u00ff', 'GET', 'sys/mounts')).toMatchObject({
      status: 400,
      body: { errors: ['the header X-Vault-Namespace is not valid UTF-8'] },
    })
  })

  it('is found by header, by path, and by both joined', async () => {
    await make('team')
    await make('team/app')
    await within('team/app', 'POST', 'sys/mounts/here', { type: 'test' })
    await within('team/app', 'POST', 'here/row/a', { n: 1 })
    expect((await server.call('GET', 'team/app/here/row/a')).body.data).toEqual({ n: 1 })
    expect((await within('team', 'GET', 'app/here/row/a')).body.data).toEqual({ n: 1 })
    expect((await within('/team/app/', 'GET', 'here/row/a')).body.data).toEqual({ n: 1 })
    expect((await within('root', 'GET', 'team/app/here/row/a')).body.data).toEqual({ n: 1 })
  })
})

describe('what a namespace has is its own', () => {
  beforeEach(async () => {
    for (const name of ['a', 'b', 'a/inner']) await make(name)
    for (const name of ['a', 'b', 'a/inner']) await within(name, 'POST', 'sys/mounts/kv', { type: 'test' })
    for (const name of ['a', 'b', 'a/inner']) await within(name, 'POST', 'kv/row/secret', { of: name })
  })
  const policy = (namespace: string, name: string, text: string) =>
    within(namespace, 'PUT', `sys/policies/acl/${name}`, { policy: text })
  const tokenIn = async (namespace: string, policies: readonly string[]) =>
    (await within(namespace, 'POST', 'auth/token/create', { policies })).body.auth.client_token as string

  it('mounts and rows', async () => {
    expect((await within('a', 'GET', 'kv/row/secret')).body.data).toEqual({ of: 'a' })
    expect((await within('b', 'GET', 'kv/row/secret')).body.data).toEqual({ of: 'b' })
    expect((await server.call('GET', 'kv/row/secret')).status).toBe(404)
    expect((await server.call('GET', 'sys/mounts')).body.data['kv/']).toBeUndefined()
  })

  it('policies', async () => {
    await policy('a', 'p', 'path "kv/*" { capabilities = ["read"] }')
    expect((await within('a', 'LIST', 'sys/policies/acl')).body.data.keys).toContain('p')
    expect((await within('b', 'LIST', 'sys/policies/acl')).body.data.keys).not.toContain('p')
    expect((await server.call('GET', 'sys/policies/acl/p')).status).toBe(404)
  })

  it('tokens, which count there and below, and nowhere else', async () => {
    await policy(
      'a',
      'reader',
      'path "kv/*" { capabilities = ["read"] }\npath "inner/kv/*" { capabilities = ["read"] }',
    )
    const token = await tokenIn('a', ['reader'])
    expect((await within('a', 'GET', 'kv/row/secret', undefined, token)).body.data).toEqual({ of: 'a' })
    expect((await within('a/inner', 'GET', 'kv/row/secret', undefined, token)).body.data).toEqual({ of: 'a/inner' })
    expect(await within('b', 'GET', 'kv/row/secret', undefined, token)).toMatchObject(badToken)
    expect(await server.call('GET', 'sys/mounts', undefined, token)).toMatchObject(badToken)
    expect(await server.call('GET', 'test/row/a', undefined, token)).toMatchObject(badToken)
  })

  it('rights: a policy of the parent needs the path of the child in front', async () => {
    await policy('a', 'own', 'path "kv/*" { capabilities = ["read"] }')
    const token = await tokenIn('a', ['own'])
    expect(await within('a/inner', 'GET', 'kv/row/secret', undefined, token)).toMatchObject(denied)
  })

  it('rights that nobody widens by naming a namespace in the path or the header', async () => {
    await policy(
      'a',
      'own',
      'path "kv/*" { capabilities = ["read"] }\npath "b/*" { capabilities = ["read"] }\npath "/b/*" { capabilities = ["read"] }',
    )
    const token = await tokenIn('a', ['own'])
    const tries: readonly (readonly [string, string])[] = [
      ['b', 'kv/row/secret'],
      ['', 'b/kv/row/secret'],
      ['a', 'b/kv/row/secret'],
      ['a', '../b/kv/row/secret'],
      ['a/../b', 'kv/row/secret'],
      ['a//b', 'kv/row/secret'],
      ['A', 'kv/row/secret'],
      ['b/', 'kv/row/secret'],
      ['root', 'b/kv/row/secret'],
    ]
    for (const [namespace, path] of tries) {
      const answer = await within(namespace, 'GET', path, undefined, token)
      expect([namespace, path, answer.status >= 400, answer.text.includes('"of":"b"')]).toEqual([
        namespace,
        path,
        true,
        false,
      ])
    }
  })

  it('no root token, and nothing of what rules the whole server', async () => {
    const made = await within('a', 'POST', 'auth/token/create', { policies: ['root'] })
    expect([made.status, made.body.auth]).toEqual([400, undefined])
    await policy('a', 'all', 'path "*" { capabilities = ["create", "read", "update", "delete", "list", "sudo"] }')
    const token = await tokenIn('a', ['all'])
    expect((await within('a/inner', 'GET', 'kv/row/secret', undefined, token)).status).toBe(200)
    expect(await server.call('LIST', 'sys/namespaces', undefined, token)).toMatchObject(badToken)
    expect(await server.call('PUT', 'sys/seal', undefined, token)).toMatchObject(badToken)
    const whole: readonly (readonly [string, string])[] = [
      ['PUT', 'sys/seal'],
      ['PUT', 'sys/rotate'],
      ['PUT', 'sys/step-down'],
      ['PUT', 'sys/audit/x'],
      ['GET', 'sys/audit'],
      ['PUT', 'sys/rekey/init'],
    ]
    for (const [method, path] of whole) {
      const answer = await within('a', method, path, { type: 'test' }, token)
      expect([path, answer.status, answer.body.errors]).toEqual([path, 400, ['operation unavailable in namespaces']])
    }
    expect((await server.call('GET', 'sys/mounts')).status).toBe(200)
  })

  it('a change of a policy counts on the next request below it too', async () => {
    await policy('a', 'own', 'path "inner/kv/*" { capabilities = ["read"] }')
    const token = await tokenIn('a', ['own'])
    expect((await within('a/inner', 'GET', 'kv/row/secret', undefined, token)).status).toBe(200)
    await policy('a', 'own', 'path "kv/*" { capabilities = ["read"] }')
    expect(await within('a/inner', 'GET', 'kv/row/secret', undefined, token)).toMatchObject(denied)
  })

  it('what is deleted is gone with its tokens, mounts and rows, and comes back empty', async () => {
    await policy('a', 'own', 'path "*" { capabilities = ["read", "create", "update", "sudo"] }')
    const token = await tokenIn('a', ['own'])
    expect((await server.call('DELETE', 'sys/namespaces/a')).body.errors).toEqual([
      'cannot delete namespace "a/" containing child namespaces',
    ])
    await server.call('DELETE', 'sys/namespaces/a/inner')
    const id = (await server.call('GET', 'sys/namespaces/a')).body.data.id
    expect((await server.call('DELETE', 'sys/namespaces/a')).status).toBe(204)
    expect((await within('a', 'GET', 'kv/row/secret')).status).toBe(404)
    expect((await server.backend.list(`ns/${id}/`, { depth: 'all', limit: 10 })).length).toBe(0)
    expect((await server.backend.list('core/namespaces/', { depth: 'all', limit: 10 })).length).toBe(1)
    await make('a')
    expect((await within('a', 'GET', 'sys/mounts')).body.data['kv/']).toBeUndefined()
    expect(await within('a', 'GET', 'sys/mounts', undefined, token)).toMatchObject(badToken)
    expect((await within('b', 'GET', 'kv/row/secret')).body.data).toEqual({ of: 'b' })
  })

  it('whose leases cannot be revoked yet is in progress, to be seen, and goes when they can', async () => {
    await policy('b', 'own', 'path "*" { capabilities = ["read"] }')
    const token = await tokenIn('b', ['own'])
    expect((await within('b', 'GET', 'kv/creds/stubborn', undefined, token)).status).toBe(200)
    const { id } = (await server.call('GET', 'sys/namespaces/b')).body.data
    server.world.failFor = new Set(['stubborn'])
    const underWay = {
      status: 200,
      body: {
        data: { status: 'in-progress' },
        warnings: ['not everything in it could be removed yet: this is tried again until it can'],
      },
    }
    expect(await server.call('DELETE', 'sys/namespaces/b')).toMatchObject(underWay)
    expect(await server.call('DELETE', 'sys/namespaces/b')).toMatchObject(underWay)
    expect((await server.call('GET', 'sys/namespaces/b')).body.data).toMatchObject({ id, tainted: true })
    expect((await server.call('POST', 'sys/namespaces/b', {})).body.errors).toEqual([
      'namespace "b/" is being deleted: try again when it is gone',
    ])
    expect((await within('b', 'GET', 'kv/row/secret')).status).toBe(404)
    server.world.failFor = new Set()
    for (let i = 0; i < 300 && (await server.call('GET', 'sys/namespaces/b')).status !== 404; i += 1) {
      await server.clock.advance(1000)
    }
    expect((await server.call('GET', 'sys/namespaces/b')).status).toBe(404)
    expect([...server.world.alive]).toEqual([])
    expect((await server.call('DELETE', 'sys/namespaces/b')).status).toBe(204)
  })

  it('a lock keeps everyone out of it and of what is below, until it is unlocked', async () => {
    const { unlock_key } = (await server.call('PUT', 'sys/namespaces/api-lock/lock/a')).body.data
    const why =
      'API access to this namespace has been locked by an administrator - "a/" must be unlocked to gain access'
    expect(await within('a', 'GET', 'kv/row/secret')).toMatchObject({ status: 503, body: { errors: [why] } })
    expect(await within('a/inner', 'GET', 'kv/row/secret')).toMatchObject({ status: 503, body: { errors: [why] } })
    expect((await within('b', 'GET', 'kv/row/secret')).status).toBe(200)
    const wrong = await server.call('PUT', 'sys/namespaces/api-lock/unlock/a', { unlock_key: 'x' })
    expect(wrong.body.errors).toEqual(['incorrect unlock key'])
    expect((await server.call('PUT', 'sys/namespaces/api-lock/unlock/a', { unlock_key })).status).toBe(204)
    expect((await within('a/inner', 'GET', 'kv/row/secret')).status).toBe(200)
  })
})
