import { describe, expect, it } from 'vitest'
import { type AuditQuery, queryAudit } from './query-audit.ts'

const lineOf = (more: { id: string; path: string } & Record<string, unknown>) => {
  const {
    id,
    path,
    operation = 'read',
    time = '2026-01-02T00:00:00.000Z',
    type = 'response',
    error,
    allowed = true,
    entity = 'e1',
    who = 'app',
    client = '10.0.0.1',
    data,
    namespace = '',
  } = more
  return JSON.stringify({
    time,
    type,
    auth: { display_name: who, entity_id: entity, policy_results: { allowed } },
    request: {
      id,
      operation,
      path,
      remote_address: client,
      namespace: { id: 'root', path: namespace },
      ...(data ? { data } : {}),
    },
    ...(error ? { error } : {}),
  })
}
const hash = `hmac-sha256:${'a'.repeat(64)}`
const all = [
  lineOf({ id: '1', path: 'secret/data/app/db' }),
  lineOf({ id: '2', path: 'secret/data/app/db', type: 'request' }),
  lineOf({ id: '3', path: 'secret/data/other', operation: 'update', entity: 'e2', who: 'bob', client: '10.0.0.2' }),
  lineOf({ id: '4', path: 'auth/token/create', time: '2026-01-03T00:00:00.000Z', data: { x: hash } }),
  lineOf({ id: '5', path: 'secret/data/app', error: '1 error occurred:\n\t* permission denied\n\n', allowed: false }),
  lineOf({ id: '6', path: 'secret/data/app', namespace: 'team/' }),
  '{"time":"t","type":"chain","event":"opened"',
  'torn {"ti',
]
const found = async (query: AuditQuery, lines = all) => {
  const file = { name: 'f', bytes: [Buffer.from(lines.map((line) => `@cee: ${line}\n`).join(''))] }
  const ids: string[] = []
  for await (const match of queryAudit([file], query)) ids.push(match.requestId)
  return ids.join('')
}

describe('a query finds', () => {
  it.each<[AuditQuery, string]>([
    [{}, '123456'],
    [{ type: 'response' }, '13456'],
    [{ entity: 'e2' }, '3'],
    [{ displayName: 'bob' }, '3'],
    [{ displayName: 'bo' }, ''],
    [{ operation: 'update' }, '3'],
    [{ path: 'secret/data/app' }, '1256'],
    [{ path: 'secret/+/app' }, '56'],
    [{ path: 'secret/*' }, '12356'],
    [{ path: '*/db' }, '12'],
    [{ path: 'secret/+/+/db' }, '12'],
    [{ path: '+/db' }, ''],
    [{ path: '*a*a*z' }, ''],
    [{ since: Date.UTC(2026, 0, 3) }, '4'],
    [{ until: Date.UTC(2026, 0, 2) }, '12356'],
    [{ requestId: '4' }, '4'],
    [{ clientAddress: '10.0.0.2' }, '3'],
    [{ denied: true }, '5'],
    [{ hashes: [hash, 'hmac-sha256:b'] }, '4'],
    [{ namespace: 'team/' }, '6'],
    [{ path: 'secret/', entity: 'e1', denied: true }, '5'],
  ])('%j: %s', async (query, wanted) => {
    expect(await found(query)).toBe(wanted)
  })

  it('where the line stands, and the line itself', async () => {
    const file = { name: 'f', bytes: [Buffer.from(`\n${all[0]}\n`)] }
    for await (const match of queryAudit([file], {})) expect(match).toMatchObject({ file: 'f', line: 2, text: all[0] })
    expect.assertions(1)
  })

  it('a pattern made to be slow is answered at once', async () => {
    const path = 'a'.repeat(2000)
    expect(await found({ path: `${'*a'.repeat(50)}*b` }, [lineOf({ id: '1', path })])).toBe('')
  })
})

describe('a search for revocations', () => {
  it.each([
    ['update', 'auth/token/revoke'],
    ['update', 'auth/token/revoke-self'],
    ['update', 'auth/token/revoke-accessor'],
    ['update', 'sys/leases/revoke'],
    ['update', 'sys/leases/revoke-prefix/database/'],
    ['update', 'sys/revoke/database/creds/r/x'],
    ['delete', 'sys/mounts/kv'],
    ['delete', 'sys/auth/userpass'],
    ['delete', 'sys/policies/acl/p'],
    ['update', 'sys/policy/p'],
    ['delete', 'sys/namespaces/team'],
    ['update', 'sys/namespaces/api-lock/lock/team'],
    ['delete', 'identity/entity/id/e'],
    ['update', 'identity/group/id/g'],
    ['update', 'identity/entity/batch-delete'],
    ['delete', 'auth/userpass/users/bob'],
    ['update', 'auth/approle/role/r/secret-id/destroy'],
    ['update', 'pki/revoke'],
  ])('finds %s of %s when it was done', async (operation, path) => {
    const lines = [
      lineOf({ id: '1', operation, path }),
      lineOf({ id: '2', operation, path, error: 'permission denied', allowed: false }),
      lineOf({ id: '3', operation: 'read', path }),
    ]
    expect(await found({ revocations: true }, lines)).toBe('1')
  })

  it.each([
    ['delete', 'secret/data/app'],
    ['update', 'auth/userpass/login/bob'],
    ['update', 'auth/token/renew-self'],
    ['create', 'sys/policies/acl/new'],
    ['update', 'sys/leases/renew'],
    ['update', 'sys/mounts/kv'],
  ])('leaves %s of %s out', async (operation, path) => {
    expect(await found({ revocations: true }, [lineOf({ id: '1', operation, path })])).toBe('')
  })
})
