import nodeVault from 'node-vault'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startServer, type TestServer } from './server-process.ts'

/** An unmodified client from npm: what it can call of this server, it calls. */
describe('node-vault', () => {
  let server: TestServer
  let vault: ReturnType<typeof nodeVault>

  beforeAll(async () => {
    server = await startServer({ init: false })
    vault = nodeVault({ endpoint: server.url })
  })
  afterAll(() => server?.close())

  it('initialises and unseals', async () => {
    expect(await vault.initialized()).toMatchObject({ initialized: false })
    const init = await vault.init({ secret_shares: 3, secret_threshold: 2 })
    expect(init.keys).toHaveLength(3)
    expect(await vault.unseal({ key: init.keys[0] })).toMatchObject({ sealed: true, progress: 1 })
    expect(await vault.unseal({ key: init.keys_base64[2] })).toMatchObject({ sealed: false })
    await expect(vault.init({ secret_shares: 1, secret_threshold: 1 })).rejects.toThrow('Vault is already initialized')
    vault.token = init.root_token
    server.rootToken = init.root_token
    expect(await vault.status()).toMatchObject({ initialized: true, sealed: false })
    expect(await vault.health()).toMatchObject({ initialized: true, sealed: false, standby: false })
  })

  it('mounts and lists engines and auth methods', async () => {
    await vault.mount({ mount_point: 'secret', type: 'kv', options: { version: '2' }, description: 'secrets' })
    expect((await vault.mounts())['secret/']).toMatchObject({ type: 'kv', options: { version: '2' } })
    await vault.enableAuth({ mount_point: 'kubernetes', type: 'kubernetes' })
    expect((await vault.auths())['kubernetes/']).toMatchObject({ type: 'kubernetes' })
    await expect(vault.mount({ mount_point: 'secret', type: 'kv' })).rejects.toThrow(
      'path is already in use at secret/',
    )
  })

  it('writes, reads, lists and deletes secrets', async () => {
    const written = await vault.write('secret/data/app/config', { data: { user: 'u', n: 1 } })
    expect(written.data).toMatchObject({ version: 1, destroyed: false, deletion_time: '' })
    expect((await vault.read('secret/data/app/config')).data.data).toEqual({ user: 'u', n: 1 })
    expect((await vault.list('secret/metadata/app')).data.keys).toEqual(['config'])
    await expect(vault.write('secret/data/app/config', { data: {}, options: { cas: 0 } })).rejects.toThrow(
      'check-and-set parameter did not match the current version',
    )
    await vault.delete('secret/data/app/config')
    await expect(vault.read('secret/data/app/config')).rejects.toMatchObject({ response: { statusCode: 404 } })
    expect((await vault.read('secret/metadata/app/config')).data.current_version).toBe(1)
  })

  it('writes policies, makes tokens, and revokes them', async () => {
    await vault.addPolicy({ name: 'reader', rules: 'path "secret/data/*" { capabilities = ["read"] }' })
    expect((await vault.policies()).policies).toContain('reader')
    expect((await vault.getPolicy({ name: 'reader' })).rules).toContain('secret/data')
    const made = await vault.tokenCreate({ policies: ['reader'], ttl: '1h' })
    // This client takes every token that it is answered for its own.
    vault.token = server.rootToken
    expect(made.auth.policies).toEqual(['default', 'reader'])
    const child = nodeVault({ endpoint: server.url, token: made.auth.client_token })
    expect((await child.tokenLookupSelf()).data.policies).toEqual(['default', 'reader'])
    expect((await child.tokenRenewSelf()).auth.renewable).toBe(true)
    await expect(child.read('sys/mounts')).rejects.toThrow('permission denied')
    await vault.tokenRevoke({ token: made.auth.client_token })
    await expect(child.tokenLookupSelf()).rejects.toThrow('permission denied')
  })

  it('ends the children of a token with it', async () => {
    const parent = (await vault.tokenCreate({ policies: ['root'] })).auth
    vault.token = parent.client_token
    const child = (await vault.tokenCreate({ policies: ['reader'] })).auth
    vault.token = server.rootToken
    expect((await vault.tokenLookupAccessor({ accessor: child.accessor })).data.id).toBe('')
    await vault.tokenRevokeAccessor({ accessor: parent.accessor })
    const orphaned = nodeVault({ endpoint: server.url, token: child.client_token })
    await expect(orphaned.tokenLookupSelf()).rejects.toThrow('permission denied')
  })

  it('tells what a token may do and where a path is mounted', async () => {
    const capabilities = await vault.write('sys/capabilities-self', { paths: ['secret/data/app/config'] })
    expect(capabilities.data['secret/data/app/config']).toEqual(['root'])
    const preflight = await vault.read('sys/internal/ui/mounts/secret/app/config')
    expect(preflight.data).toMatchObject({ path: 'secret/', type: 'kv', options: { version: '2' } })
    expect((await vault.help('sys/mounts')).help).toContain('mount')
  })

  it('configures the Kubernetes auth method, and a login that is not one is refused', async () => {
    await expect(vault.write('auth/kubernetes/config', {})).rejects.toThrow('no host provided')
    await vault
      .write('auth/kubernetes/config', {
        kubernetes_host: 'https://127.0.0.1:1',
        disable_local_ca_jwt: true,
        kubernetes_ca_cert: 'ca',
      })
      .then(
        () => expect.unreachable('a CA that is no certificate was taken'),
        (error: Error) => expect(error.message).toMatch(/kubernetes_ca_cert|certificate/i),
      )
    await vault.write('auth/kubernetes/role/app', {
      bound_service_account_names: 'app',
      bound_service_account_namespaces: 'default',
      policies: 'reader',
      ttl: '1h',
    })
    const role = (await vault.read('auth/kubernetes/role/app')).data
    expect(role).toMatchObject({ bound_service_account_names: ['app'], token_policies: ['reader'], token_ttl: 3600 })
    expect((await vault.list('auth/kubernetes/role')).data.keys).toEqual(['app'])
    await expect(vault.kubernetesLogin({ mount_point: 'kubernetes', role: 'other', jwt: 'x' })).rejects.toThrow(
      'invalid role name "other"',
    )
  })

  it('enables audit only below the configured folders', async () => {
    await vault.enableAudit({ name: 'file', type: 'file', options: { file_path: `${server.dir}/audit/a.log` } })
    expect((await vault.audits())['file/']).toMatchObject({ type: 'file' })
    await expect(
      vault.enableAudit({ name: 'bad', type: 'file', options: { file_path: '/etc/coffer-audit' } }),
    ).rejects.toThrow(/audit_file_directories/)
    await vault.disableAudit({ name: 'file' })
  })

  it('seals', async () => {
    await vault.seal()
    expect(await vault.status()).toMatchObject({ sealed: true })
    await expect(vault.read('secret/data/app/config')).rejects.toThrow('Vault is sealed')
  })
})
