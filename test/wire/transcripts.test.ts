import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { bytesOf, contentOf, mismatch, parseTranscript, settingsOf } from './transcript.ts'
import { transcriptServer } from './transcript-server.ts'

const here = import.meta.dirname
const transcripts = readdirSync(here).filter((name) => name.endsWith('.txt'))

describe.each(transcripts)('%s', (name) => {
  it('is answered as written', async () => {
    const text = readFileSync(join(here, name), 'utf8')
    const server = await transcriptServer(settingsOf(text))
    const values = new Map<string, string>()
    const fill = (text: string) => text.replace(/\$\{(\w+)\}/g, (_, key: string) => values.get(key) ?? `?${key}?`)
    for (const step of parseTranscript(text)) {
      const token = step.token === undefined ? (values.get('root') ?? 'root') : fill(step.token)
      const answer = await server.ask({
        method: step.method,
        path: `/v1/${fill(step.path)}`,
        headers: { ...(token === '' ? {} : { 'X-Vault-Token': token }), ...filled(step.headers, fill) },
        ...(step.body === undefined ? {} : { body: bytesOf(fill(step.body)) }),
      })
      const where = `${name}:${step.line}: ${step.method} ${step.path}\n${answer.body}`
      expect(answer.status, where).toBe(step.status)
      const body = answer.body === '' ? undefined : contentOf(answer)
      if (step.expected === '') expect(answer.body, where).toBe('')
      else expect(mismatch(JSON.parse(fill(step.expected)), body, step.exact), where).toBeUndefined()
      for (const [key, path] of step.keep) {
        values.set(key, String(path.split('.').reduce((object, part) => object?.[part], body)))
      }
    }
    await server.close()
  })
})

const filled = (headers: Readonly<Record<string, string>>, fill: (text: string) => string) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, fill(value)]))

describe('a transcript', () => {
  it('that is wrong fails', () => {
    expect(mismatch({ a: 1 }, { a: 2 }, false)).toBe('body.a is 2')
    expect(mismatch({ a: '*' }, {}, false)).toBe('body.a is missing')
    expect(mismatch({ a: 1 }, { a: 1, b: 2 }, true)).toBe('body.b is there')
    expect(mismatch(['x*'], ['yx'], false)).toBe('body.0 is "yx"')
    expect(mismatch({ a: 1, b: ['x*'] }, { a: 1, b: ['xy'], c: 3 }, false)).toBeUndefined()
    expect(() => parseTranscript('GET x')).toThrow('line 1')
    expect([...bytesOf('ä\\x{ff}\\x{00}b')]).toEqual([0xc3, 0xa4, 0xff, 0, 0x62])
  })
})
