import { expect, it } from 'vitest'
import { noticedPath, requestPath } from './path.ts'

const rows: [string | undefined, 'v1' | 'v2', string, string][] = [
  ['secret', 'v2', 'my-app/config', 'secret/data/my-app/config'],
  ['secret', 'v2', 'secret/data/my-app/config', 'secret/data/my-app/config'],
  ['secret', 'v2', 'secret/my-app/config', 'secret/data/my-app/config'],
  ['secret', 'v2', 'data/my-app/config', 'secret/data/data/my-app/config'],
  [undefined, 'v2', 'secret/my-app/config', 'secret/data/my-app/config'],
  [undefined, 'v2', 'secret/data/my-app/config', 'secret/data/my-app/config'],
  [undefined, 'v1', 'secret/my-app/config', 'secret/my-app/config'],
  ['kv', 'v2', 'secret/data/my-app/config', 'kv/data/secret/data/my-app/config'],
  ['secret/path', 'v2', 'test', 'secret/path/data/test'],
  ['secret/path', 'v2', 'secret/path/test', 'secret/path/data/test'],
  ['secret/path', 'v2', 'secret/path/data/test', 'secret/path/data/test'],
  ['secret', 'v1', 'a', 'secret/a'],
  ['secret', 'v1', 'secret/data/a', 'secret/data/a'],
  ['secret/data', 'v2', 'a', 'secret/data/data/a'],
  ['secret/', 'v2', 'a', 'secret/data/a'],
  [undefined, 'v2', 'secret', 'secret/data'],
]

it.each(rows)('store path %s, %s: key %s is read at %s', (path, version, key, wanted) => {
  expect(requestPath({ path, version }, key)).toBe(wanted)
})

it.each([
  ['secret/data/my-app/config', 'secret/data/my-app/config'],
  ['secret/metadata/my-app/config', 'secret/data/my-app/config'],
  ['secret/destroy/a', 'secret/data/a'],
  ['secret/data/metadata/a', 'secret/data/metadata/a'],
])('a notice on %s is about %s', (path, wanted) => {
  expect(noticedPath({ path, mountPath: 'secret/' })).toBe(wanted)
})
