import { describe, expect, it } from 'vitest'
import { operation, type Route, type Verb } from '../contracts/request.ts'
import { RouteTable } from './route-table.ts'

const op = operation({ input: {}, handle: async () => ({ kind: 'none' }) })
const route = (path: string, ...verbs: Verb[]): Route => ({
  path,
  summary: path,
  on: Object.fromEntries(verbs.map((verb) => [verb, op])),
})
const table = new RouteTable([
  route('{rest...?}', 'read'),
  route('data/{path...}', 'read', 'update'),
  route('metadata/{path...}', 'read'),
  route('metadata/{path...?}', 'list'),
  route('config', 'read'),
  route('config/ca', 'read'),
  route('role', 'list'),
  route('role/{name}', 'read', 'update'),
  route('role/{name}/id', 'read'),
  route('mounts', 'read'),
  route('mounts/{path...}', 'read', 'update'),
  route('mounts/{path...}/tune', 'read', 'update'),
])
const match = (path: string, verb: Verb = 'read') => {
  const found = table.match(path, verb)
  return found && [found.route.path, { ...found.params }]
}

describe('routes', () => {
  it.each<[string, Verb, string, Record<string, string>]>([
    ['data/a/b', 'read', 'data/{path...}', { path: 'a/b' }],
    ['data/a/', 'read', 'data/{path...}', { path: 'a/' }],
    ['data/', 'read', '{rest...?}', { rest: 'data/' }],
    ['metadata/a', 'read', 'metadata/{path...}', { path: 'a' }],
    ['metadata/', 'list', 'metadata/{path...?}', { path: '' }],
    ['metadata/dir/', 'list', 'metadata/{path...?}', { path: 'dir/' }],
    ['config', 'read', 'config', {}],
    ['config/ca', 'read', 'config/ca', {}],
    ['role/', 'list', 'role', {}],
    ['role/a', 'update', 'role/{name}', { name: 'a' }],
    ['role/a/id', 'read', 'role/{name}/id', { name: 'a' }],
    ['mounts', 'read', 'mounts', {}],
    ['mounts/a/b', 'update', 'mounts/{path...}', { path: 'a/b' }],
    ['mounts/a/b/tune', 'update', 'mounts/{path...}/tune', { path: 'a/b' }],
    ['mounts/tune', 'read', 'mounts/{path...}', { path: 'tune' }],
    ['', 'read', '{rest...?}', { rest: '' }],
    ['other', 'read', '{rest...?}', { rest: 'other' }],
  ])('%j (%s) is answered by %j', (path, verb, expected, params) =>
    expect(match(path, verb)).toEqual([expected, params]),
  )

  it('the most literal route answers even when it lacks the verb', () => {
    expect(match('config', 'update')).toEqual(['config', {}])
  })
})
