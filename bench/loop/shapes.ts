/** What large requests send, by name. */
import type { Send } from './send.ts'

export interface Shape {
  readonly name: string
  /** One after the other, again and again. */
  readonly steps: readonly (() => Promise<unknown>)[]
}

export interface Target {
  readonly url: string
  readonly token: string
  /** Its policy is the large one. */
  readonly user: string
  /** Of the long list. */
  readonly keys: number
  /** Sends, and throws for another status. */
  readonly expect: (sent: Send, ...statuses: number[]) => () => Promise<void>
}

const mib = 1024 * 1024

const lists = (of: (i: number) => unknown, per: number) =>
  Object.fromEntries(Array.from({ length: 24 }, (_, n) => [`list${n}`, Array.from({ length: per }, (_, i) => of(i))]))

/** What is refused is served, too: it was read, and most of it audited. */
export function shapesFor(target: Target): Shape[] {
  const { url, token, expect, keys } = target
  return [
    { name: 'nothing large', steps: [] },
    policies(target),
    {
      name: `list of ${keys} keys`,
      steps: [expect({ url, method: 'LIST', path: 'secret/metadata/million', token }, 200)],
    },
    ...bodies(target),
    refused(target),
    ...values(target),
  ]
}

function policies({ url, token, user, expect }: Target): Shape {
  const rules = Array.from(
    { length: 11_000 },
    (_, i) => `path "secret/data/team-${i}/{{identity.entity.id}}/*" {\n  capabilities = ["read"]\n}\n`,
  ).join('')
  const text = `path "secret/data/small" {\n  capabilities = ["read"]\n}\n${rules}`.slice(0, mib)
  const policy = JSON.stringify({ policy: text.slice(0, text.lastIndexOf('}\n') + 2) })
  return {
    name: 'policies of 1 MB',
    steps: [
      expect({ url, method: 'PUT', path: 'sys/policies/acl/large', token, body: policy }, 204, 200),
      expect({ url, method: 'GET', path: 'secret/data/small', token: user }, 200),
      expect({ url, method: 'GET', path: 'sys/policies/acl/large', token }, 200),
      expect({ url, method: 'LIST', path: 'sys/policies/acl', token }, 200),
    ],
  }
}

/** Bodies that are read, audited and answered. */
function bodies({ url, token, expect }: Target): Shape[] {
  const nested = Array.from({ length: 60 }).reduce<unknown>((inside) => [inside], 1)
  const members = Array.from({ length: 28 }, () =>
    Object.fromEntries(Array.from({ length: 9000 }, (_, i) => [`${'k'.repeat(90)}${i}`, i])),
  )
  const hash = (extra: unknown) => {
    const body = Buffer.from(JSON.stringify({ input: 'aGk=', extra }))
    return expect({ url, method: 'POST', path: 'sys/tools/hash', token, body }, 200)
  }
  const strings = hash(lists((i) => `${'v'.repeat(120)}${i}`, 10_000))
  return [
    { name: '30 strings of 1 MiB', steps: [hash(Array.from({ length: 30 }, () => 'x'.repeat(mib - 1)))] },
    { name: '240,000 strings', steps: [strings] },
    { name: '240,000 with escapes, umlauts', steps: [hash(lists((i) => `${'v\n'.repeat(30)}ä${i}`, 10_000))] },
    { name: 'two of these at once', steps: [() => Promise.all([strings(), strings()])] },
    { name: '250,000 members', steps: [hash(members)] },
    { name: 'deeply nested', steps: [hash(lists(() => nested, 600))] },
  ]
}

function refused({ url, token, expect }: Target): Shape {
  const kv = { url, method: 'POST', path: 'secret/data/large', token }
  const text = JSON.stringify({ data: lists((i) => `${'v'.repeat(120)}${i}`, 10_000) })
  return {
    name: '28 MB that are refused',
    steps: [
      expect({ ...kv, body: Buffer.from(text) }, 400, 413, 500),
      expect({ ...kv, token: 'hvs.nobody', body: Buffer.from(text) }, 400, 403),
      expect({ ...kv, body: Buffer.from(`${text.slice(0, -1)},"data":1}`) }, 400),
      expect({ ...kv, body: Buffer.from(JSON.stringify({ data: { a: 'x'.repeat(28 * mib) } })) }, 400),
    ],
  }
}

function values({ url, token, expect }: Target): Shape[] {
  const kv = { url, method: 'POST', path: 'secret/data/large', token }
  const read = expect({ ...kv, method: 'GET' }, 200)
  const write = (data: unknown) => expect({ ...kv, body: JSON.stringify({ data }) }, 200)
  const strings = Array.from({ length: 7500 }, (_, i) => `${'v'.repeat(120)}${i}`)
  const base64 = Buffer.alloc(700_000, 'key').toString('base64')
  return [{ name: 'KV of 1 MB, written and read', steps: [write({ strings }), read, write({ base64 }), read] }]
}
