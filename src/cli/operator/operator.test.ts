import { describe, expect, it } from 'vitest'
import { runFake } from '../fake-context.ts'

const keys = { keys: ['aa', 'bb'], keys_base64: ['qg==', 'uw=='], root_token: 'hvs.root' }

describe('operator', () => {
  it('init prints the keys that scripts grep', async () => {
    const argv = ['operator', 'init', '-key-shares=2', '-key-threshold=2']
    const { out, requests } = await runFake(argv, { answer: () => ({ body: JSON.stringify(keys) }) })
    expect(requests[0]).toMatchObject({ path: '/v1/sys/init', body: '{"secret_shares":2,"secret_threshold":2}' })
    expect(out).toContain('Unseal Key 1: qg==\nUnseal Key 2: uw==\n\nInitial Root Token: hvs.root\n')
  })

  it('init as JSON has the names that scripts read', async () => {
    const argv = ['operator', 'init', '-n', '1', '-t', '1', '-format=json']
    const { out } = await runFake(argv, { answer: () => ({ body: JSON.stringify(keys) }) })
    expect(JSON.parse(out)).toEqual({
      unseal_keys_b64: ['qg==', 'uw=='],
      unseal_keys_hex: ['aa', 'bb'],
      unseal_shares: 1,
      unseal_threshold: 1,
      recovery_keys_b64: [],
      recovery_keys_hex: [],
      recovery_keys_shares: 0,
      recovery_keys_threshold: 0,
      root_token: 'hvs.root',
    })
  })

  it('init -status is 2 before', async () => {
    const { status, out } = await runFake(['operator', 'init', '-status'], {
      answer: () => ({ body: '{"initialized":false}' }),
    })
    expect([status, out]).toEqual([2, 'Vault is not initialized\n'])
  })

  it('unseal takes the key from stdin and shows the progress', async () => {
    const body =
      '{"type":"shamir","initialized":true,"sealed":true,"t":3,"n":5,"progress":1,"nonce":"x","version":"2.6.0"}'
    const { status, out, requests } = await runFake(['operator', 'unseal', '-'], {
      stdin: 'qg==\n',
      answer: () => ({ body }),
    })
    expect(requests[0]).toMatchObject({ path: '/v1/sys/unseal', body: '{"key":"qg==","migrate":false}' })
    expect([status, out.includes('Unseal Progress    1/3')]).toEqual([0, true])
  })

  it('seal says so', async () => {
    expect((await runFake(['operator', 'seal'])).out).toBe('Success! Vault is sealed.\n')
  })
})
