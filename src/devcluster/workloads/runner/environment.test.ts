import { describe, expect, it } from 'vitest'
import type { Pod } from '../../../kube/object-types.ts'
import { commandLine, type EnvironmentSources, expand, resolveEnvironment } from './environment.ts'

const pod: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', namespace: 'ns', uid: 'u', labels: { app: 'x', b: 'y"z' }, annotations: { 'a/b': 'c' } },
  spec: { containers: [], serviceAccountName: 'sa' },
}
const object = (data: Record<string, string>) => ({ apiVersion: 'v1', kind: 'X', metadata: {}, data })
const sources: EnvironmentSources = {
  pod,
  host: { nodeName: 'node', hostIp: '127.0.0.1' },
  secret: async (name) => (name === 's' ? object({ k: 'djE=', 'bad.name': 'eA==' }) : undefined),
  configMap: async (name) => (name === 'c' ? object({ k: 'v2' }) : undefined),
}
const container = (more: object) => ({ name: 'c', image: 'i', ...more })
const resolve = (more: object, base = {}) => resolveEnvironment(container(more), base, sources)
const field = (fieldPath: string) => ({ name: 'F', valueFrom: { fieldRef: { fieldPath } } })

describe('expansion', () => {
  it.each([
    ['$(A)', 'one'],
    ['$(A)$(B)', 'onetwo'],
    ['x$(NONE)y', 'x$(NONE)y'],
    ['$$(A)', '$(A)'],
    ['$$$(A)', '$one'],
    ['$A ${A} $', '$A ${A} $'],
    ['$(A', '$(A'],
    ['$()', '$()'],
    ['a$$b', 'a$b'],
    ['$(toString)', '$(toString)'],
  ])('%s is %s', (text, result) => expect(expand(text, { A: 'one', B: 'two' })).toBe(result))
})

describe('environment', () => {
  it('takes values, fields, Secrets and ConfigMaps, later ones over earlier ones', async () => {
    const env = [
      { name: 'A', value: 'a' },
      { name: 'B', value: '$(A)$(LATER)$(P_k)$(IMAGE)' },
      { name: 'LATER', value: 'x' },
      { name: 'S', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } },
      { name: 'C', valueFrom: { configMapKeyRef: { name: 'c', key: 'k' } } },
      { name: 'NO', valueFrom: { secretKeyRef: { name: 'none', key: 'k', optional: true } } },
      { name: 'EMPTY' },
    ]
    const envFrom = [{ prefix: 'P_', secretRef: { name: 's' } }, { configMapRef: { name: 'none', optional: true } }]
    expect(await resolve({ env, envFrom }, { IMAGE: 'i', A: 'image' })).toEqual({
      IMAGE: 'i',
      A: 'a',
      P_k: 'v1',
      B: 'a$(LATER)v1i',
      LATER: 'x',
      S: 'v1',
      C: 'v2',
      EMPTY: '',
    })
  })

  it.each([
    ['metadata.name', 'p'],
    ['metadata.namespace', 'ns'],
    ['metadata.uid', 'u'],
    ["metadata.labels['app']", 'x'],
    ["metadata.annotations['a/b']", 'c'],
    ['metadata.labels', 'app="x"\nb="y\\"z"'],
    ['spec.nodeName', 'node'],
    ['spec.serviceAccountName', 'sa'],
    ['status.hostIP', '127.0.0.1'],
    ['status.podIP', '127.0.0.1'],
  ])('field %s is %j', async (path, value) => expect(await resolve({ env: [field(path)] })).toEqual({ F: value }))

  it.each([
    ['secret "none" not found', { env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'none', key: 'k' } } }] }],
    [
      "couldn't find key x in Secret ns/s",
      { env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 's', key: 'x' } } }] },
    ],
    ['configmap "none" not found', { envFrom: [{ configMapRef: { name: 'none' } }] }],
    ['unsupported fieldPath: status.phase', { env: [field('status.phase')] }],
    ['does not support env valueFrom.resourceFieldRef', { env: [{ name: 'A', valueFrom: { resourceFieldRef: {} } }] }],
    ['cannot set an environment variable named a.b', { env: [{ name: 'a.b', value: '' }] }],
  ])('says: %s', async (message, more) => {
    await expect(resolve(more)).rejects.toThrow(message)
  })
})

describe('command line', () => {
  const image = { command: ['entry'], args: ['arg'] }
  it.each([
    [{}, ['entry', 'arg']],
    [{ args: ['$(A)'] }, ['entry', 'one']],
    [{ command: ['own'] }, ['own']],
    [{ command: ['own'], args: ['x'] }, ['own', 'x']],
  ])('%j runs %j', (more, line) => expect(commandLine(container(more), image, { A: 'one' })).toEqual(line))
})
