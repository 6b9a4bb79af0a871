import { describe, expect, it } from 'vitest'
import { envelopeOf } from '../../sdk/fake-transport.ts'
import { runFake } from '../fake-context.ts'

describe('-format', () => {
  it('raw prints the body of a read as it came', async () => {
    const body = '# HELP x\nx 1\n'
    const { status, out, requests } = await runFake(['read', '-format=raw', 'sys/metrics', 'format=prometheus'], {
      answer: () => ({ body }),
    })
    expect([status, out]).toEqual([0, body])
    expect(requests[0]?.path).toBe('/v1/sys/metrics?format=prometheus')
    expect((await runFake(['read', 'a'], { env: { VAULT_FORMAT: 'raw' }, answer: () => ({ body: '{}' }) })).out).toBe(
      '{}',
    )
  })

  it('raw with -field is the field', async () => {
    const answer = () => envelopeOf({ data: { k: 'v' } })
    expect((await runFake(['read', '-format=raw', '-field=k', 'a'], { answer })).out).toBe('v')
  })

  it.each([['write', 'a', 'b=c'], ['list', 'a'], ['status'], ['secrets', 'list']])(
    'raw is refused by %s %s before anything is sent',
    async (...argv) => {
      const { status, err, requests } = await runFake([...argv, '-format=raw'])
      expect([status, requests]).toEqual([1, []])
      expect(err).toContain('has no raw output')
    },
  )

  it('pretty is JSON with indentation', async () => {
    const answer = () => envelopeOf({ data: { k: 'v' } })
    const pretty = await runFake(['read', '-format=PRETTY', 'a'], { answer })
    expect(pretty.out).toBe((await runFake(['read', '-format=json', 'a'], { answer })).out)
    expect(pretty.out).toContain('  "data": {\n    "k": "v"\n  }')
  })
})

describe('list -detailed', () => {
  const answer = () =>
    envelopeOf({ data: { keys: ['a', 'b'], key_info: { a: { name: 'x', ttl: 3600 }, b: { count: 2 } } } })

  it('has a column for each member of key_info', async () => {
    const { out } = await runFake(['list', '-detailed', 'p'], { answer })
    expect(out).toBe(`Keys    count    name     ttl
----    -----    ----     ---
a       <nil>    x        1h
b       2        <nil>    <nil>
`)
  })

  it('is the whole answer as JSON, by VAULT_DETAILED too; without it only the keys', async () => {
    const whole = await runFake(['list', '-format=json', 'p'], { env: { VAULT_DETAILED: 'true' }, answer })
    expect(JSON.parse(whole.out).data.key_info.b).toEqual({ count: 2 })
    const off = await runFake(['list', '-format=json', '-detailed=false', 'p'], {
      env: { VAULT_DETAILED: 'true' },
      answer,
    })
    expect(JSON.parse(off.out)).toEqual(['a', 'b'])
    expect((await runFake(['list', 'p'], { answer })).out).toBe('Keys\n----\na\nb\n')
  })
})

describe('monitor', () => {
  it('prints the log as it comes and says which part of it is wanted', async () => {
    const { status, out, requests } = await runFake(['monitor', '-log-level=debug', '-log-format=json'], {
      answer: () => ({ body: '{"a":1}\n{"b":2}\n' }),
    })
    expect([status, out]).toEqual([0, '{"a":1}\n{"b":2}\n'])
    expect(requests[0]?.path).toBe('/v1/sys/monitor?log_level=debug&log_format=json')
  })

  it('says what Vault says when it is refused', async () => {
    const answer = () => ({ status: 403, body: '{"errors":["permission denied"]}' })
    const { status, err } = await runFake(['monitor'], { answer })
    expect(status).toBe(2)
    expect(err).toContain(
      'Error monitoring logs: Error making API request.\n\nURL: GET http://127.0.0.1:8200/v1/sys/monitor',
    )
    expect(err).toContain('* permission denied')
  })

  it.each([
    ['-log-level=loud', 'Valid log levels are: trace, debug, info, warn, error'],
    ['-log-format=xml', 'Valid log formats are: standard, json'],
  ])('%s is wrong use', async (flag, words) => {
    const { status, err, requests } = await runFake(['monitor', flag])
    expect([status, requests]).toEqual([1, []])
    expect(err).toContain(words)
  })
})
