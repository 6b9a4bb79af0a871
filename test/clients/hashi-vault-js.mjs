// What a program written with hashi-vault-js does, against the server of VAULT_ADDR and VAULT_TOKEN. Any difference ends it.
import assert from 'node:assert/strict'

const { default: Vault } = await import(process.env.CLIENT)
const token = process.env.VAULT_TOKEN
const vault = new Vault({
  https: false,
  baseUrl: `${process.env.VAULT_ADDR}/v1`,
  rootPath: 'secret',
  timeout: 5000,
  proxy: false,
})

const health = await vault.healthCheck({ standbyok: true })
assert.equal(health.initialized, true)
assert.equal((await vault.sealStatus()).sealed, false)
assert.ok((await vault.sysHostInfo(token)).host)

assert.equal((await vault.createKVSecret(token, 'js-app', { user: 'a', password: 'b' })).version, 1)
assert.deepEqual((await vault.readKVSecret(token, 'js-app')).data, { user: 'a', password: 'b' })
assert.equal((await vault.updateKVSecret(token, 'js-app', { user: 'c' }, 1)).version, 2)
await assert.rejects(vault.updateKVSecret(token, 'js-app', { user: 'd' }, 1))
assert.deepEqual((await vault.readKVSecret(token, 'js-app', 1)).data, { user: 'a', password: 'b' })
await vault.deleteLatestVerKVSecret(token, 'js-app')
await vault.undeleteVersionsKVSecret(token, 'js-app', [2])
assert.deepEqual((await vault.readKVSecret(token, 'js-app', 2)).data, { user: 'c' })
await vault.destroyVersionsKVSecret(token, 'js-app', [1])
await assert.rejects(vault.readKVSecret(token, 'js-app', 1))

const made = await vault.createToken(token, { policies: ['default'], ttl: '1h' })
assert.deepEqual(made.policies, ['default'])
const looked = await vault.lookupToken(token, made.client_token)
assert.equal(looked.display_name, 'token')
assert.equal((await vault.lookupSelfToken(made.client_token)).accessor, made.accessor)
assert.equal((await vault.renewSelfToken(made.client_token, '30m')).lease_duration, 1800)
assert.equal((await vault.lookupAccessor(token, made.accessor)).id, '')
assert.ok((await vault.listAccessors(token)).keys.includes(made.accessor))
assert.deepEqual((await vault.sysCapabilities(token, made.client_token, ['secret/data/x'])).capabilities, ['deny'])
await vault.revokeAccessor(token, made.accessor)
await assert.rejects(vault.lookupSelfToken(made.client_token))

console.log('all steps')
