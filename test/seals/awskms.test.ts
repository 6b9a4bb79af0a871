/** The seal of AWS KMS on a built server, with moto in the place of AWS. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CreateAliasCommand, CreateKeyCommand, PutKeyPolicyCommand, UpdateAliasCommand } from '@aws-sdk/client-kms'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { root, startServer, type TestServer } from '../e2e/server-process.ts'
import { closeWithoutTraces, credentials, type Moto, region, startMoto } from './moto-process.ts'
import { initialise, migrate, recovery, restart, status, unsealed, until } from './sealed-server.ts'

let moto: Moto
const servers: TestServer[] = []
beforeAll(async () => {
  execFileSync(process.execPath, [join(root, 'scripts/build.mjs'), '--if-stale'])
  moto = await startMoto()
})
afterAll(() => moto?.close())
afterEach(async () => {
  await moto.back().catch(() => undefined)
  await closeWithoutTraces(servers)
})

const environment = {
  AWS_ACCESS_KEY_ID: credentials.accessKeyId,
  AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  AWS_REGION: region,
}

async function newKey(): Promise<{ id: string; arn: string }> {
  const { KeyMetadata } = await moto.kms.send(new CreateKeyCommand({}))
  return { id: KeyMetadata?.KeyId ?? '', arn: KeyMetadata?.Arn ?? '' }
}

const awskms = (keyId: string, more = '') =>
  `seal "awskms" {\n  kms_key_id = "${keyId}"\n  endpoint = "${moto.endpoint}"\n  ${more}\n}\n`

async function start(stanzas: string, env: Record<string, string> = environment): Promise<TestServer> {
  const server = await startServer({ init: false, stanzas, env })
  servers.push(server)
  return server
}

describe('a server with the seal awskms', () => {
  it('is initialised with recovery keys, and unseals itself when it starts again', async () => {
    const { id, arn } = await newKey()
    const server = await start(awskms(id))
    expect(await status(server)).toMatchObject({ type: 'awskms', initialized: false, recovery_seal: true })
    expect(await initialise(server)).toHaveLength(3)
    expect(await status(server)).toMatchObject({ type: 'awskms', sealed: false, t: 2, n: 3 })
    await server.request('POST', 'sys/policies/acl/kept', { policy: 'path "a" { capabilities = ["read"] }' })
    await restart(server)
    await until(server, 'it is unsealed', () => unsealed(server))
    expect((await server.request('GET', 'sys/policies/acl/kept')).status).toBe(200)
    expect(server.output()).not.toContain('root key wrapped anew')
    // By its ARN it is the same key.
    await restart(server, awskms(arn))
    await until(server, 'it is unsealed', () => unsealed(server))
    expect(server.output()).not.toContain('root key wrapped anew')
  })

  it('takes everything from the environment, as Vault does', async () => {
    const { id } = await newKey()
    const server = await start('', {
      ...environment,
      VAULT_SEAL_TYPE: 'awskms',
      VAULT_AWSKMS_SEAL_KEY_ID: id,
      AWS_KMS_ENDPOINT: moto.endpoint,
    })
    await initialise(server)
    await restart(server)
    await until(server, 'it is unsealed', () => unsealed(server))
  })

  it('takes credentials from its stanza, which nobody is shown', async () => {
    const { id } = await newKey()
    const own = 'secret_key = "env://KMS_SECRET"\n  session_token = "canary-session-token"'
    const server = await start(
      awskms(id, `region = "${region}"\n  access_key = "${credentials.accessKeyId}"\n  ${own}`),
      {
        KMS_SECRET: credentials.secretAccessKey,
      },
    )
    await initialise(server)
    expect(moto.asked()).toContain(`Credential=${credentials.accessKeyId}/`)
    const shown = await server.request('GET', 'sys/config/state/sanitized')
    expect(shown.json.data.seals).toEqual([{ type: 'awskms', disabled: false }])
    expect(shown.text).not.toMatch(/canary/i)
    expect(server.output()).not.toContain('canary-session-token')
  })

  it("takes the role of its pod (IRSA): AWS's own variables", async () => {
    const { id } = await newKey()
    const folder = mkdtempSync(join(tmpdir(), 'coffer-irsa-'))
    try {
      const token = join(folder, 'token')
      writeFileSync(token, 'canary.web.identity')
      const server = await start(awskms(id), {
        AWS_REGION: region,
        AWS_ROLE_ARN: 'arn:aws:iam::123456789012:role/coffer',
        AWS_WEB_IDENTITY_TOKEN_FILE: token,
        AWS_ENDPOINT_URL_STS: moto.endpoint,
      })
      moto.asked()
      await initialise(server)
      const asked = moto.asked()
      expect(asked).toContain('Action=AssumeRoleWithWebIdentity')
      expect(asked).toContain('TrentService.Encrypt')
      expect(server.output()).not.toContain('canary.web')
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('follows an alias to another key, and then needs the key before no more', async () => {
    const [one, two] = [await newKey(), await newKey()]
    await moto.kms.send(new CreateAliasCommand({ AliasName: 'alias/coffer', TargetKeyId: one.id }))
    const server = await start(awskms('alias/coffer'))
    await initialise(server)
    await moto.kms.send(new UpdateAliasCommand({ AliasName: 'alias/coffer', TargetKeyId: two.id }))
    await restart(server)
    await until(server, 'it is wrapped anew', () => server.output().includes('root key wrapped anew'))
    expect(server.output()).toContain(two.arn)
    moto.asked()
    await restart(server)
    await until(server, 'it is unsealed', () => unsealed(server))
    const asked = moto.asked()
    expect(asked).toMatch(new RegExp(`TrentService.Decrypt[^]*"KeyId":"${two.arn}"`))
    expect(asked).not.toContain(one.id)
    expect(server.output().split('root key wrapped anew')).toHaveLength(2)
  })

  it('stays sealed while KMS is away, says why, and unseals itself when it is back', async () => {
    const { id } = await newKey()
    const server = await start(awskms(id))
    await initialise(server)
    await moto.away()
    await restart(server)
    await until(server, 'it says why', () => server.output().includes('ECONNREFUSED'))
    expect(server.output()).toMatch(
      /seal \\"awskms\\": KMS at \S+ cannot be reached \(ECONNREFUSED\)[^\n]*not unsealed yet, will be tried again/,
    )
    expect((await server.request('GET', 'sys/health', undefined, '')).status).toBe(503)
    await moto.back()
    await until(server, 'it is unsealed', () => unsealed(server))
    expect((await server.request('GET', 'auth/token/lookup-self')).status).toBe(200)
  })

  it('unseals without kms:DescribeKey, and says what it cannot know', async () => {
    const { id } = await newKey()
    const server = await start(awskms(id, 'name = "primary"'))
    await initialise(server)
    const Statement = [{ Effect: 'Deny', Principal: '*', Action: ['kms:DescribeKey'], Resource: '*' }]
    const Policy = JSON.stringify({ Version: '2012-10-17', Statement })
    await moto.kms.send(new PutKeyPolicyCommand({ KeyId: id, PolicyName: 'default', Policy }))
    await restart(server)
    await until(server, 'it is unsealed', () => unsealed(server))
    expect(server.output()).toMatch(/"seal":"primary"[^\n]*allow kms:DescribeKey/)
  })

  it('that cannot be initialised answers why', async () => {
    const server = await start(awskms('alias/nowhere'))
    const answer = await server.request('PUT', 'sys/init', recovery, '')
    expect(answer.status).toBe(500)
    expect(answer.json.errors[0]).toContain('there is no KMS key alias/nowhere in eu-central-1')
    expect(await status(server)).toMatchObject({ initialized: false })
  })
})

describe('migration', () => {
  it('from unseal keys to KMS and back: people keep what they hold', async () => {
    const { id } = await newKey()
    const server = await start('seal "shamir" {}\n')
    const init = await server.request('PUT', 'sys/init', { secret_shares: 3, secret_threshold: 2 }, '')
    server.rootToken = init.json.root_token
    const keys: string[] = init.json.keys
    await restart(server, awskms(id))
    await migrate(server, keys.slice(0, 2))
    expect(await status(server)).toMatchObject({ type: 'awskms', sealed: false, t: 2, n: 3, migration: false })
    await restart(server)
    await until(server, 'it is unsealed', () => unsealed(server))
    await restart(server, awskms(id, 'disabled = "true"'))
    await migrate(server, keys.slice(1))
    expect(await status(server)).toMatchObject({ type: 'shamir', sealed: false })
    await restart(server, 'seal "shamir" {}\n')
    for (const key of keys.slice(0, 2)) await server.request('PUT', 'sys/unseal', { key }, '')
    expect((await server.request('GET', 'auth/token/lookup-self')).status).toBe(200)
  })

  it('from KMS to a static key', async () => {
    const { id } = await newKey()
    const server = await start(awskms(id))
    const keys = await initialise(server)
    const fixed = `seal "static" {\n  current_key_id = "k"\n  current_key = "${'ab'.repeat(32)}"\n}\n`
    await restart(server, awskms(id, 'disabled = "true"') + fixed)
    await migrate(server, keys.slice(0, 2))
    await restart(server, fixed)
    await moto.away()
    await until(server, 'it is unsealed', () => unsealed(server))
    expect(await status(server)).toMatchObject({ type: 'static', t: 2, n: 3 })
    expect((await server.request('GET', 'auth/token/lookup-self')).status).toBe(200)
  })
})
