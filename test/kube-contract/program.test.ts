import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { CoreV1Api, KubeConfig } from '@kubernetes/client-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { program } from '../../src/programs/devcluster.ts'
import { eventually } from './cluster.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'coffer-devcluster-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

function run(args: readonly string[]) {
  const stop = new AbortController()
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  let out = ''
  let err = ''
  stdout.on('data', (chunk) => {
    out += chunk
  })
  stderr.on('data', (chunk) => {
    err += chunk
  })
  const io = { stdin: new PassThrough(), stdout, stderr, env: {}, cwd: folder, stop: stop.signal, onReload: () => {} }
  return { status: program.run(args, io), stop: () => stop.abort(), out: () => out, err: () => err }
}

describe('coffer devcluster', () => {
  it('leaves a kubeconfig that only its owner reads, serves until told to stop, and ends with 0', async () => {
    const running = run(['--dir', 'cluster'])
    await eventually(() => running.out().includes('KUBECONFIG='))
    const file = join(folder, 'cluster', 'kubeconfig')
    for (const secret of [file, join(folder, 'cluster', 'kubelet.key')])
      expect((await stat(secret)).mode & 0o777).toBe(0o600)
    const config = new KubeConfig()
    config.loadFromFile(file)
    const core = config.makeApiClient(CoreV1Api)
    const { items } = await core.listNamespace()
    expect(items.map((item) => item.metadata?.name)).toContain('default')
    const map = await core.readNamespacedConfigMap({ namespace: 'default', name: 'kube-root-ca.crt' })
    expect(map.data?.['ca.crt']).toBe(await readFile(join(folder, 'cluster', 'ca.crt'), 'utf8'))
    expect(running.out()).not.toContain(config.getCurrentUser()?.token)
    running.stop()
    expect(await running.status).toBe(0)
    await expect(core.listNamespace()).rejects.toThrow()
  })

  it('whose port is taken says so and ends with 1', async () => {
    const first = run(['--dir', 'first'])
    await eventually(() => first.out().includes('KUBECONFIG='))
    const port = /127\.0\.0\.1:(\d+)/.exec(first.out())?.[1] ?? ''
    const second = run(['--dir', 'second', '--port', port])
    expect(await second.status).toBe(1)
    expect(second.err()).toContain('EADDRINUSE')
    first.stop()
    await first.status
  })

  it.each([
    [[], '--dir is needed'],
    [['--dir', 'x', '--port', '99999'], '--port 99999 is no port'],
    [['--dir', 'x', '--what'], "Unknown option '--what'"],
  ])('with %o explains its use and ends with 1', async (args, message) => {
    const running = run(args)
    expect(await running.status).toBe(1)
    expect(running.err()).toContain(message)
    expect(running.err()).toContain('Usage: coffer devcluster --dir DIR [--port N]')
  })
})
