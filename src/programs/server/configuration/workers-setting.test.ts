import { expect, it } from 'vitest'
import { parseConfiguration } from '../configuration.ts'
import { workersOf } from '../node/with-workers.ts'

const text = (workers: string, storage = 'storage "lmdb" { path = "/x" }') =>
  `listener "tcp" { address = "127.0.0.1:0" tls_disable = true }\n${storage}\n${workers}\n`.replace(' tls', '\n tls')
const config = (workers: string, storage?: string) => parseConfiguration(text(workers, storage))

it('without the setting a server is one process; it may say how many, or one for each processor', () => {
  expect(workersOf(config(''), {})).toBe(1)
  expect(workersOf(config('workers = 1'), {})).toBe(1)
  expect(workersOf(config('workers = 3'), {})).toBe(3)
  expect(workersOf(config('workers = "4"'), {})).toBe(4)
  expect(workersOf(config('workers = "auto"'), {})).toBeGreaterThanOrEqual(1)
})

it('the environment counts more', () => {
  expect(workersOf(config('workers = 3'), { COFFER_WORKERS: '2' })).toBe(2)
  expect(workersOf(config('workers = 3'), { COFFER_WORKERS: '1' })).toBe(1)
  expect(() => workersOf(config(''), { COFFER_WORKERS: 'many' })).toThrow('COFFER_WORKERS is "many"')
})

it.each(['0', '65', '-1', '1.5', '"two"', 'true'])('workers = %s is refused with what is accepted', (value) => {
  expect(() => config(`workers = ${value}`)).toThrow('"workers" must be 1 to 64, or "auto"')
})

it('what workers can not share is refused in words', () => {
  expect(() => workersOf(config('workers = 2', 'storage "inmem" {}'), {})).toThrow('needs storage "lmdb"')
})

it('workers share listeners of every type', () => {
  const unix = parseConfiguration(
    'listener "unix" { address = "/tmp/x.sock" }\nstorage "lmdb" { path = "/x" }\nworkers = 2\n',
  )
  expect(workersOf(unix, {})).toBe(2)
})
