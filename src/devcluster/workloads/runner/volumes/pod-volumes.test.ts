import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Volume } from 'kubernetes-types/core/v1.d.ts'
import { afterAll, describe, expect, it } from 'vitest'
import type { KubeClient, KubeObject } from '../../../../kube/client.ts'
import type { Pod } from '../../../../kube/object-types.ts'
import { FakeClock } from '../../../../lib/fake-clock.ts'
import { silentLog } from '../../../../lib/log.ts'
import { systemRandom } from '../../../../lib/random.ts'
import { PodVolumes } from './pod-volumes.ts'

const base = mkdtempSync(join(tmpdir(), 'coffer-volumes-'))
afterAll(() => rmSync(base, { recursive: true, force: true }))

function setUp(volumes: Volume[]) {
  const clock = new FakeClock()
  const asked: KubeObject[] = []
  const secret: Record<string, string> = { k: 'b25l' }
  const state = { secret: secret as Record<string, string> | undefined, tokenFails: false }
  const client: Pick<KubeClient, 'post'> = {
    async post<R extends KubeObject>(_type: unknown, _ref: unknown, _sub: unknown, body: KubeObject): Promise<R> {
      if (state.tokenFails) throw new Error('unreachable')
      asked.push(body)
      const expirationTimestamp = new Date(clock.now() + 3_600_000).toISOString()
      return { ...body, status: { token: `token-${asked.length}`, expirationTimestamp } } as unknown as R
    },
  }
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'ns', uid: 'u', labels: { a: 'b' } },
    spec: { containers: [], volumes, serviceAccountName: 'sa' },
  }
  const dir = mkdtempSync(join(base, 'p-'))
  const held = new PodVolumes({
    dir,
    client,
    clock,
    random: systemRandom,
    log: silentLog,
    sources: {
      pod,
      host: { nodeName: 'n', hostIp: '127.0.0.1' },
      secret: async (name) =>
        name === 's' && state.secret
          ? { apiVersion: 'v1', kind: 'Secret', metadata: {}, data: state.secret }
          : undefined,
      configMap: async () => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: {}, data: { 'ca.crt': 'CA' } }),
    },
  })
  return { held, clock, asked, state, pod, read: (path: string) => readFileSync(join(dir, path), 'utf8') }
}

const tokenVolume: Volume = {
  name: 'api',
  projected: {
    sources: [
      { serviceAccountToken: { path: 'token', expirationSeconds: 3600 } },
      { configMap: { name: 'root', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
      { downwardAPI: { items: [{ path: 'namespace', fieldRef: { fieldPath: 'metadata.namespace' } }] } },
    ],
  },
}

describe('pod volumes', () => {
  it('a projected token is bound to the pod and renewed when four fifths of its life are over', async () => {
    const { held, clock, asked, state, read } = setUp([tokenVolume])
    await held.setUp()
    expect([read('api/token'), read('api/ca.crt'), read('api/namespace')]).toEqual(['token-1', 'CA', 'ns'])
    expect(asked[0]?.['spec']).toEqual({
      audiences: [],
      expirationSeconds: 3600,
      boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: 'p', uid: 'u' },
    })
    await clock.advance(2_879_000)
    expect(asked.length).toBe(1)
    state.tokenFails = true
    await clock.advance(30_000)
    await held.refresh(setUp([]).pod)
    expect(read('api/token')).toBe('token-1')
    state.tokenFails = false
    await clock.advance(60_000)
    // Writing is real input and output: it ends when the volumes are idle.
    await held.remove()
    expect(asked.length).toBe(2)
  })

  it('follows its Secret, keeps the files while that is away, and knows what it uses', async () => {
    const { held, state, pod, read } = setUp([{ name: 'v', secret: { secretName: 's', defaultMode: 0o400 } }])
    await held.setUp()
    expect(read('v/k')).toBe('one')
    expect([held.uses('Secret', 's'), held.uses('Secret', 't'), held.uses('ConfigMap', 's')]).toEqual([
      true,
      false,
      false,
    ])
    state.secret = { k: 'dHdv', l: 'eA==' }
    await held.refresh(pod)
    expect([read('v/k'), read('v/l')]).toEqual(['two', 'x'])
    state.secret = undefined
    await held.refresh(pod)
    expect(read('v/k')).toBe('two')
    await held.remove()
  })

  it.each([
    [{ secretName: 'none' }, 'MountVolume.SetUp failed for volume "v" : secret "none" not found'],
    [{ secretName: 's', items: [{ key: 'x', path: 'x' }] }, 'references non-existent secret "s" key: x'],
    [{ secretName: 's', items: [{ key: 'k', path: '../x' }] }, 'invalid path in a volume: ../x'],
  ])('%j: %s', async (secret, message) => {
    const { held } = setUp([{ name: 'v', secret }])
    await expect(held.setUp()).rejects.toThrow(message)
    await held.remove()
  })

  it('a change that comes while they are set up is written after that, not beside it', async () => {
    const { held, pod, read, state } = setUp([{ name: 'v', secret: { secretName: 's' } }])
    for (let round = 0; round < 20; round++) {
      state.secret = { k: Buffer.from(`round ${round}`).toString('base64') }
      await Promise.all([held.setUp(), held.refresh(pod), held.setUp()])
      expect(read('v/k')).toBe(`round ${round}`)
    }
    await held.remove()
  })

  it('what is optional may be missing', async () => {
    const { held } = setUp([{ name: 'v', secret: { secretName: 'none', optional: true } }])
    await held.setUp()
    await held.remove()
  })

  it('a sub path stays inside its volume', async () => {
    const { held } = setUp([
      { name: 'e', emptyDir: {} },
      { name: 'v', secret: { secretName: 's' } },
    ])
    await held.setUp()
    const source = (name: string, subPath?: string) =>
      held.source({ name, mountPath: '/x', ...(subPath === undefined ? {} : { subPath }) })
    expect(readFileSync(await source('v', 'k'), 'utf8')).toBe('one')
    expect((await source('e', 'a/b')).endsWith('/e/a/b')).toBe(true)
    symlinkSync('/etc', join(await source('e'), 'out'))
    await expect(source('e', 'out/passwd')).rejects.toThrow()
    await expect(source('e', 'out')).rejects.toThrow()
    await expect(source('v', '../e')).rejects.toThrow('invalid subPath')
    await expect(source('v', 'none')).rejects.toThrow('does not exist')
    await expect(source('nope')).rejects.toThrow('volume that does not exist')
    await held.remove()
  })
})
