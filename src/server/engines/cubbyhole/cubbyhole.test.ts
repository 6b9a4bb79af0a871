import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../../lib/json/value.ts'
import { RawJson } from '../../../lib/json/value.ts'
import { runOperation } from '../../contracts/fake-call.ts'
import { FakeRows } from '../../contracts/fake-rows.ts'
import { type Caller, Refusal, type Verb } from '../../contracts/request.ts'
import { cubbyhole } from './cubbyhole.ts'

const callerOf = (id: string, type: Caller['type'] = 'service'): Caller => ({
  id,
  type,
  accessor: 'a',
  displayName: 'token',
  policies: ['default'],
  entityId: '',
  root: false,
})

const setUp = () => {
  const rows = new FakeRows()
  const [route] = cubbyhole.routes
  if (!route) throw new Error('no route')
  const as =
    (caller: Caller | undefined) =>
    (verb: Verb, path: string, input: JsonObject = {}) =>
      runOperation(route, verb, {
        storage: rows.view('cubbyhole/'),
        params: { path },
        input,
        ...(caller && { caller }),
      })
  return { rows, as, route }
}

describe('a cubbyhole', () => {
  it('keeps what its token wrote, with the text of numbers and without a lease', async () => {
    const { rows, as } = setUp()
    const me = as(callerOf('one'))
    expect(await me('update', 'x', { a: new RawJson('1.0') })).toEqual({ kind: 'none' })
    expect(await me('read', 'x')).toEqual({ kind: 'data', data: new RawJson('{"a":1.0}') })
    expect([...rows.rows.keys()]).toEqual(['cubbyhole/one/x'])
    expect(await me('delete', 'x')).toEqual({ kind: 'none' })
    expect(await me('read', 'x')).toEqual({ kind: 'none' })
    expect(await me('delete', 'x')).toEqual({ kind: 'none' })
    expect(rows.rows.size).toBe(0)
  })

  it('takes nothing any more when its token has ended meanwhile', async () => {
    const { rows, route } = setUp()
    const write = runOperation(route, 'update', {
      storage: rows.view('cubbyhole/'),
      params: { path: 'x' },
      input: { a: '1' },
      caller: callerOf('one'),
      checkCaller: () => Promise.reject(new Refusal(403, 'permission denied')),
    })
    await expect(write).rejects.toMatchObject({ status: 403 })
    expect(rows.rows.size).toBe(0)
  })

  it('is empty for any other token, whatever path it asks for', async () => {
    const { as } = setUp()
    await as(callerOf('one'))('update', 'x', { a: 'canary' })
    const other = as(callerOf('two'))
    for (const path of ['x', 'one/x', '/one/x']) expect(await other('read', path)).toEqual({ kind: 'none' })
    expect(await other('list', '')).toEqual({ kind: 'none' })
    expect(await as(callerOf('on'))('list', 'e')).toEqual({ kind: 'none' })
    expect(await as(callerOf('on'))('scan', '')).toEqual({ kind: 'none' })
  })

  it('lists one level, scans all, by pages', async () => {
    const { as } = setUp()
    const me = as(callerOf('one'))
    for (const path of ['a', 'dir/b', 'dir/deep/c', 'z']) await me('update', path, { v: path })
    expect(await me('list', '')).toEqual({ kind: 'data', data: { keys: ['a', 'dir/', 'z'] } })
    expect(await me('list', 'dir')).toEqual({ kind: 'data', data: { keys: ['b', 'deep/'] } })
    expect(await me('list', 'dir/')).toEqual({ kind: 'data', data: { keys: ['b', 'deep/'] } })
    expect(await me('list', '', { after: 'a', limit: 1 })).toEqual({ kind: 'data', data: { keys: ['dir/'] } })
    expect(await me('scan', '')).toEqual({ kind: 'data', data: { keys: ['a', 'dir/b', 'dir/deep/c', 'z'] } })
    expect(await me('list', 'none')).toEqual({ kind: 'none' })
  })

  it('refuses what is far too large before its text is made', async () => {
    const { rows, as } = setUp()
    const list = Array.from({ length: 20_000 }, () => 'x'.repeat(100))
    await expect(async () => as(callerOf('one'))('update', 'x', { list })).rejects.toMatchObject({ status: 413 })
    expect(rows.rows.size).toBe(0)
  })

  it('takes no empty value and no empty path', async () => {
    const { as } = setUp()
    const me = as(callerOf('one'))
    await expect(async () => me('update', 'x', {})).rejects.toMatchObject({
      status: 400,
      message: 'missing data fields',
    })
    for (const verb of ['read', 'update', 'delete'] as const) {
      await expect(async () => me(verb, '', { a: 1 })).rejects.toMatchObject({ status: 400, message: 'missing path' })
    }
  })

  it('is not for batch tokens, nor for nobody', async () => {
    const { as, rows, route } = setUp()
    const words = 'cubbyhole operations are only supported by "service" type tokens'
    for (const verb of ['read', 'update', 'delete', 'list', 'scan'] as const) {
      const batch = async () => as(callerOf('b', 'batch'))(verb, 'x', { a: 1 })
      await expect(batch).rejects.toMatchObject({ status: 400, message: words })
      await expect(async () => as(undefined)(verb, 'x', { a: 1 })).rejects.toMatchObject({ status: 403 })
    }
    const asked = { caller: callerOf('b', 'batch'), params: { path: 'x' }, storage: rows.view('cubbyhole/') }
    await expect(async () => route.exists?.(asked as never)).rejects.toMatchObject({ message: words })
    expect(rows.rows.size).toBe(0)
  })
})
