import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseExternalSecret } from '../../../crds/external-secret.ts'
import { dataHash, metadataHash, sha3 } from './digest.ts'
import { createdBy, createdByLabel, dataHashAnnotation, fieldManagerOf, ownedKeys, syncedVersionOf } from './marks.ts'

interface Recorded {
  case: string
  applied: { apiVersion: string; kind: string; metadata: { name: string; namespace: string } }
  externalSecret: { status: { syncedResourceVersion?: string } }
  secret?: {
    labels: Record<string, string>
    annotations: Record<string, string>
    managers: { manager: string }[]
    data: Record<string, string>
  }
}
const file = join(import.meta.dirname, '../../../../../test/recorded/eso-cases.json')
const recorded = (JSON.parse(readFileSync(file, 'utf8')) as { cases: Recorded[] }).cases
const bytes = (data: Record<string, string>) => new Map(Object.entries(data).map(([k, v]) => [k, Buffer.from(v)]))

describe('the marks that ESO left in the recorded cases', () => {
  const written = recorded.flatMap((one) => (one.secret ? [{ ...one, secret: one.secret }] : []))

  it.each(written)('$case: data hash, creator and manager are ours', ({ applied, secret }) => {
    expect(dataHash(bytes(secret.data))).toBe(secret.annotations[dataHashAnnotation])
    const creator = secret.labels[createdByLabel]
    if (creator !== undefined) expect(createdBy(applied.metadata)).toBe(creator)
    expect(secret.managers.map((one) => one.manager)).toContain(fieldManagerOf(applied.metadata.name))
  })

  it.each(written.filter((one) => one.secret.annotations['kubectl.kubernetes.io/last-applied-configuration']))(
    '$case: the synced version is ours',
    ({ applied, secret, externalSecret }) => {
      // The Secret has the ExternalSecret's own annotations and labels besides the marks.
      const own = (map: Record<string, string>) =>
        Object.fromEntries(Object.entries(map).filter(([key]) => !key.startsWith('reconcile.') && key !== 'mine'))
      const metadata = {
        ...applied.metadata,
        generation: 1,
        annotations: own(secret.annotations),
        labels: own(secret.labels),
      }
      const es = parseExternalSecret({ ...applied, metadata })
      expect(typeof es === 'string' ? es : syncedVersionOf(es)).toBe(externalSecret.status.syncedResourceVersion)
    },
  )
})

describe('hashes', () => {
  it('equal the verified vectors', () => {
    expect(dataHash(bytes({ foo: 'value1', bar: 'value2' }))).toBe(
      '1bed8bcbcb4547ffe19a19cd47d9078e84aa6598266d86b99f992d64',
    )
    expect(metadataHash({})).toBe('f47fe3c0b255b6dd8047cdffa772587bb829efe7a1cb70febeda2eb2')
  })

  it('sort keys by their bytes, not by UTF-16 units', () => {
    const data = bytes({ '\u{10000}': '', '\uffee': '' })
    expect(dataHash(data)).toBe(sha3('map[\uffee:[] \u{10000}:[]]'))
  })
})

describe('field managers', () => {
  it.each([
    ['a', 'externalsecrets.external-secrets.io/a'],
    ['x'.repeat(28), `externalsecrets.external-secrets.io/sha3/${sha3('x'.repeat(28))}`],
    ['x'.repeat(27), `externalsecrets.external-secrets.io/${'x'.repeat(27)}`],
  ])('%s', (name, wanted) => {
    expect(fieldManagerOf(name)).toBe(wanted)
  })

  it('own what they wrote, whatever others wrote', () => {
    const fieldsV1 = { 'f:data': { '.': {}, 'f:a': {} }, 'f:metadata': { 'f:labels': { 'f:l': {} } } }
    const entries = [
      { manager: 'me', operation: 'Update', fieldsV1 },
      { manager: 'other', operation: 'Update', fieldsV1: { 'f:data': { 'f:b': {} } } },
      { manager: 'me' },
    ]
    expect(ownedKeys(entries, 'me', 'data')).toEqual(new Set(['a']))
    expect(ownedKeys(entries, 'me', 'labels')).toEqual(new Set(['l']))
    expect(ownedKeys(entries, 'me', 'annotations')).toEqual(new Set())
    expect(ownedKeys(undefined, 'me', 'data')).toEqual(new Set())
  })
})
