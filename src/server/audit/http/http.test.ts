import { describe, expect, it } from 'vitest'
import type { OutboundCall } from '../../../lib/outbound/outbound.ts'
import { httpAudit } from './http.ts'

const lines = (...texts: string[]) => texts.map((text) => Buffer.from(`${text}\n`))
const signal = new AbortController().signal

const setUp = (answers: (number | Error)[] = []) => {
  const calls: OutboundCall[] = []
  const dialer = {
    request: async (call: OutboundCall) => {
      calls.push(call)
      const answer = answers.shift() ?? 204
      if (answer instanceof Error) throw answer
      return { status: answer, headers: {}, body: '' }
    },
  }
  return { calls, type: httpAudit({ destinations: ['logs.example.com:443', '10.0.0.1:8080'], dialer }) }
}
const uri = 'https://logs.example.com/in?x=1'

describe('lines', () => {
  it('are posted together, with the headers that were asked for', async () => {
    const { calls, type } = setUp()
    const device = await type.open({ uri, headers: '{"Authorization":["Bearer t"],"X-A":"b"}' })
    await device.write(lines('{"a":1}', '{"b":2}'), signal)
    expect(calls).toEqual([
      expect.objectContaining({
        url: uri,
        method: 'POST',
        headers: { 'Content-Type': 'application/x-ndjson', Authorization: 'Bearer t', 'X-A': 'b' },
        body: '{"a":1}\n{"b":2}\n',
        signal,
      }),
    ])
    await device.close()
  })

  it('of more than 4 MiB go in several requests', async () => {
    const { calls, type } = setUp()
    const device = await type.open({ uri })
    await device.write([Buffer.alloc(3_000_000, 97), Buffer.alloc(3_000_000, 97), Buffer.alloc(9, 97)], signal)
    expect(calls.map(({ body }) => body?.length)).toEqual([3_000_000, 3_000_009])
  })

  it('are refused unless the answer is 2xx', async () => {
    const { type } = setUp([503, 302])
    const device = await type.open({ uri })
    await expect(device.write(lines('a'), signal)).rejects.toThrow('the audit collector answered 503')
    await expect(device.write(lines('a'), signal)).rejects.toThrow('the audit collector answered 302')
  })

  it('are sent again over a new connection when the kept one was closed, and only then', async () => {
    const stale = new Error('unreachable', { cause: Object.assign(new Error(), { name: 'StaleConnection' }) })
    const { calls, type } = setUp([stale, 200, new Error('unreachable')])
    const device = await type.open({ uri })
    await device.write(lines('a'), signal)
    expect(calls).toHaveLength(2)
    await expect(device.write(lines('a'), signal)).rejects.toThrow('unreachable')
    expect(calls).toHaveLength(3)
  })
})

describe('refused are', () => {
  it.each([
    [{}, 'uri is required'],
    [{ uri: 'ftp://logs.example.com' }, 'uri must be an http or https address without credentials'],
    [{ uri: 'https://u:p@logs.example.com' }, 'uri must be an http or https address without credentials'],
    [
      { uri: 'https://logs.example.com:8443' },
      'uri is not a destination that the server allows for audit devices (audit_destinations)',
    ],
    [
      { uri: 'http://169.254.169.254/' },
      'uri is not a destination that the server allows for audit devices (audit_destinations)',
    ],
    [{ uri, headers: 'x' }, 'headers must be a JSON object of names and values: it is no JSON'],
    [{ uri, headers: '[]' }, 'headers must be a JSON object of names and values: it is no object'],
    [{ uri, headers: '{"a b":"c"}' }, 'headers must be a JSON object of names and values: a name is no header name'],
    [
      { uri, headers: '{"a":"b\\r\\nc"}' },
      'headers must be a JSON object of names and values: the value of a must be visible ASCII',
    ],
    [{ uri, headers: '{"Host":"x"}' }, 'headers must be a JSON object of names and values: Host is set by the server'],
  ])('%j', async (options, message) => {
    await expect(setUp().type.open(options)).rejects.toMatchObject({ status: 400, message })
  })
})
