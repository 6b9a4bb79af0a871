/** test/recorded/eso-cases.json, what ESO 2.9 left in a cluster, for the tests that replay it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { KubeObject } from '../kube/client.ts'
import type { Secret } from '../kube/object-types.ts'
import { ProviderError, type SecretStoreProvider } from './providers/provider.ts'

export interface RecordedCase {
  readonly case: string
  readonly applied: KubeObject
  readonly externalSecret: { finalizers: string[]; spec: object; status: RecordedStatus }
  readonly secret?: { readonly managers: readonly { manager?: string; operation?: string }[] }
  readonly events: readonly { type: string; reason: string; message: string }[]
}
export interface RecordedStatus {
  conditions: { lastTransitionTime: string }[]
  refreshTime: string | null
}
const file = join(import.meta.dirname, '../../test/recorded/eso-cases.json')
export const recorded = JSON.parse(readFileSync(file, 'utf8')) as {
  stores: { name: string; status: { conditions: { lastTransitionTime: string }[] } }[]
  cases: RecordedCase[]
}

/** Not yet ours: refused by name. This list may only shrink. */
export const refused: Readonly<Record<string, string>> = {
  'find-regexp': 'spec.dataFrom[0].find',
  'find-none': 'spec.dataFrom[0].find',
  rewrite: 'spec.dataFrom[0].rewrite',
  template: 'spec.target.template',
  'template-merge': 'spec.target.template',
  'template-bad': 'spec.target.template',
  'template-syntax': 'spec.target.template',
}

export const namespace = 'rec'
export const config = `{"big":9007199254740992,"bool":true,"dotted.key":"dot","empty":"","nested":{"a":{"b":[1,2,{"c":"deep"}]}},
  "nul":null,"password":"s3cr<t>&","port":5432,"username":"app"}`

/** ESO's `fake` store as the recording had it. */
export const fakeStore: SecretStoreProvider = {
  name: 'fake',
  open: async () => ({
    check: async () => 'ready',
    reader: {
      locate: (ref) => ref.key,
      get: async ({ key, version = '' }) => {
        const value = key === '/a' ? { '': 'one', v2: 'two' }[version] : undefined
        if (value === undefined) throw new ProviderError('failed', 'unexpected key')
        return Buffer.from(value)
      },
    },
  }),
}

/** What the recording's targets were before the controller came. */
export const before: Readonly<Record<string, Partial<Secret>>> = {
  'merge-target': {
    data: { own: Buffer.from('kept').toString('base64') },
    metadata: { name: 'merge-target', namespace, labels: { mine: 'yes' } },
  },
  'orphan-existing': {
    data: { old: Buffer.from('gone').toString('base64') },
    metadata: { name: 'orphan-existing', namespace },
  },
}

export const timeless = (status: RecordedStatus) => ({
  ...status,
  refreshTime: status.refreshTime && 'T',
  conditions: status.conditions.map((condition) => ({ ...condition, lastTransitionTime: 'T' })),
})

export function described(secret: Secret | undefined) {
  if (!secret) return undefined
  const { labels, annotations, ownerReferences, managedFields } = secret.metadata
  return {
    labels,
    annotations,
    ownerReferences: ownerReferences?.map(({ uid: _uid, ...owner }) => owner) ?? null,
    managers: managedFields?.map(({ manager, operation }) => ({ manager, operation })),
    type: secret.type,
    immutable: secret.immutable ?? null,
    data: Object.fromEntries(
      Object.entries(secret.data ?? {}).map(([key, text]) => [key, Buffer.from(text, 'base64').toString()]),
    ),
  }
}
