import { getEventListeners } from 'node:events'
import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { commands } from './catalogue.ts'
import { runFake } from './fake-context.ts'

describe('the command line', () => {
  it('shows what there is without arguments', async () => {
    const { status, out } = await runFake([])
    expect(status).toBe(127)
    for (const word of ['Usage: vault <command>', 'kv ', 'server ', 'operator ']) expect(out).toContain(word)
    expect(out).not.toContain('injector')
    expect((await runFake([], { name: 'coffer' })).out).toContain('injector')
  })

  it('ends with 130 when it is interrupted while it waits for stdin', async () => {
    const stop = new AbortController()
    const stdin = new PassThrough()
    const running = runFake(['kv', 'put', 'secret/x', 'value=-'], { stdin, signal: stop.signal })
    stdin.write('half')
    stop.abort(new Error('SIGINT'))
    expect(await running).toMatchObject({ status: 130, out: '', err: '', requests: [] })
    expect(getEventListeners(stop.signal, 'abort')).toEqual([])
  })

  it('leaves nothing on the signal of the process', async () => {
    const { signal } = new AbortController()
    await runFake(['kv', 'put', 'secret/x', 'value=-'], { stdin: 'v', signal })
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('takes a timeout of 0 for the default, not for none of the time', async () => {
    const { connected } = await runFake(['list', 'secret/x'], { env: { VAULT_CLIENT_TIMEOUT: '0' } })
    expect(connected[0]?.timeoutMs).toBe(60_000)
  })

  it('says coffer when it is called coffer', async () => {
    expect((await runFake(['kv', 'get', '-h'], { name: 'coffer' })).out).toContain(
      'Usage: coffer kv get [options] PATH',
    )
  })

  it.each(commands.map((command) => [command.name, command] as const))(
    '%s teaches with an example',
    async (name, command) => {
      const { status, out, requests } = await runFake([...name.split(' '), '--help'])
      expect(status).toBe(0)
      expect(out).toContain(`$ vault ${command.examples[0]?.run}`)
      expect(requests).toEqual([])
    },
  )

  it.each([
    [['kv', 'gte', 'secret/x'], 'Did you mean "vault kv get"?'],
    [['kv', 'metadata', 'gte', 'secret/x'], 'Did you mean "vault kv metadata get"?'],
    [['stauts'], 'Did you mean "vault status"?'],
    [['sever'], 'Did you mean "vault server"?'],
    [['frobnicate'], '"vault -h" lists what there is.'],
    [['dev'], '"vault -h" lists what there is.'],
  ])('%j is no command and says what was meant', async (argv, hint) => {
    const { status, err } = await runFake(argv)
    expect(status).toBe(127)
    expect(err).toContain(hint)
  })

  it('shows a group that was called without subcommand, as wrong use', async () => {
    const { status, err } = await runFake(['kv'])
    expect(status).toBe(1)
    expect(err).toContain('Usage: vault kv <subcommand>')
  })

  it.each([
    [['read'], 'Not enough arguments (expected 1, got 0)'],
    [['list', 'a', 'b'], 'Too many arguments (expected 1, got 2)'],
    [['read', '-feild=x', 'a'], 'flag provided but not defined: -feild (did you mean -field?)'],
    [['token', 'create', '-ttl', 'soon'], 'invalid value "soon" for flag -ttl'],
    [['write', 'a'], 'Must supply data or use -force'],
    [['write', 'a', 'novalue'], 'format must be key=value'],
    [['read', '-format=xml', 'a'], 'Invalid output format: xml'],
  ])('%j is wrong use: 1 and no request', async (argv, words) => {
    const { status, err, requests } = await runFake(argv)
    expect([status, requests.length]).toEqual([1, 0])
    expect(err).toContain(words)
  })

  it('takes flags as Go does, before and after the path', async () => {
    for (const argv of [
      ['read', '-ns', 'team', '--wrap-ttl=60', 'a'],
      ['read', 'a', '-namespace=team', '-wrap-ttl', '60'],
    ]) {
      const { requests } = await runFake(argv)
      expect(requests[0]).toMatchObject({ headers: { 'X-Vault-Namespace': 'team', 'X-Vault-Wrap-TTL': '60' } })
    }
  })

  it('reads the environment in the order COFFER, VAULT, BAO', async () => {
    const bao = { BAO_TOKEN: 'b', BAO_NAMESPACE: 'nb', VAULT_ADDR: '' }
    const first = await runFake(['read', 'a'], { env: { ...bao, BAO_ADDR: 'http://b:1' } })
    expect(first.connected[0]?.address).toBe('http://b:1')
    expect(first.requests[0]?.headers).toMatchObject({ 'X-Vault-Token': 'b', 'X-Vault-Namespace': 'nb' })
    const both = await runFake(['read', 'a'], { env: { ...bao, VAULT_TOKEN: 'v', COFFER_NAMESPACE: 'nc' } })
    expect(both.requests[0]?.headers).toMatchObject({ 'X-Vault-Token': 'v', 'X-Vault-Namespace': 'nc' })
  })

  it('never takes "VAULT_SKIP_VERIFY=false" for yes', async () => {
    expect((await runFake(['read', 'a'], { env: { VAULT_SKIP_VERIFY: 'false' } })).connected[0]?.skipVerify).toBe(false)
    expect((await runFake(['read', 'a'], { env: { VAULT_SKIP_VERIFY: 'maybe' } })).status).toBe(1)
  })
})

describe('a refusal by policy', () => {
  const denied = '{"errors":["1 error occurred:\\n\\t* permission denied\\n\\n"],"request_id":"r-1"}'
  const badToken = '{"errors":["permission denied"],"request_id":"r-2"}'
  const read = (name: 'coffer' | 'vault', body: string) =>
    runFake(['read', 'secret/data/x'], { name, answer: () => ({ status: 403, body }) })

  it('is what only its own words are taken for: of the preflight the server remembers nothing to explain', async () => {
    const preflight = '{"errors":["preflight capability check returned 403, please ensure …"],"request_id":"r-3"}'
    expect((await read('coffer', preflight)).err).not.toContain('policy explain')
  })

  it('says how to learn why', async () => {
    const run = await read('coffer', denied)
    expect([run.status, run.err.endsWith('\nWhy: coffer policy explain -request-id=r-1\n')]).toEqual([2, true])
  })

  it("says what Vault's says under Vault's name, and nothing about policy when the token is bad", async () => {
    expect((await read('vault', denied)).err).not.toContain('explain')
    expect((await read('coffer', badToken)).err).not.toContain('explain')
  })
})
