import { describe, expect, it } from 'vitest'
import type { Secret } from '../../../kube/object-types.ts'
import type { ExternalSecret } from '../../crds/external-secret.ts'
import { planFor, type Verdict, verdictOn } from './decide.ts'
import { fakeExternalSecret, fakeSecret, fakeSynced, startMs } from './fake-objects.ts'
import { dataHash } from './marks/digest.ts'
import { dataHashAnnotation, fieldManagerOf } from './marks/marks.ts'
import type { Observed, StoreView } from './observe.ts'
import { isRefreshDue, isSecretValid } from './schedule.ts'
import type { Collected } from './values/collect.ts'

const ready = {} as StoreView & { state: 'ready' }
const observed = (es: ExternalSecret, more: Partial<Observed> = {}): Observed => ({
  es,
  stores: new Map([['vault', { ...ready, state: 'ready' }]]),
  outages: [],
  secret: undefined,
  orphans: [],
  changedRemotely: false,
  nowMs: startMs,
  ...more,
})
const collected = (values: Record<string, string>): Collected => ({
  ok: true,
  data: new Map(Object.entries(values).map(([key, value]) => [key, Buffer.from(value)])),
  missing: [],
})
const conditionOf = (verdict: Verdict, type: string) => verdict.status.conditions.find((one) => one.type === type)
const written = (verdict: Verdict): Secret | undefined =>
  'secret' in verdict.secret ? verdict.secret.secret : undefined
const texts = (secret: Secret | undefined) =>
  Object.fromEntries(Object.entries(secret?.data ?? {}).map(([k, v]) => [k, Buffer.from(v, 'base64').toString()]))

describe('a refresh is due', () => {
  const rows: [string, ExternalSecret, boolean, boolean][] = [
    ['never synced', fakeExternalSecret(), false, true],
    ['within the interval', fakeSynced(), false, false],
    ['after the interval', fakeSynced({}, 3_600_000), false, true],
    ['refreshed in the future', fakeSynced({}, -1000), false, true],
    ['told of a change', fakeSynced(), true, true],
    ['interval 0, synced', fakeSynced({ refreshInterval: '0' }), true, false],
    [
      'interval 0, spec changed',
      fakeSynced({ refreshInterval: '0' }, 0, { syncedResourceVersion: '0-x' }),
      false,
      false,
    ],
    ['interval 0, never synced', fakeExternalSecret({ refreshInterval: '0' }), false, true],
    ['spec or label changed', fakeSynced({}, 0, { syncedResourceVersion: '0-x' }), false, true],
    ['CreatedOnce, synced', fakeSynced({ refreshPolicy: 'CreatedOnce' }, 9e9), true, false],
    [
      'CreatedOnce, changed',
      fakeSynced({ refreshPolicy: 'CreatedOnce' }, 0, { syncedResourceVersion: '0-x' }),
      false,
      false,
    ],
    ['CreatedOnce, never synced', fakeExternalSecret({ refreshPolicy: 'CreatedOnce' }), false, true],
    ['OnChange, synced', fakeSynced({ refreshPolicy: 'OnChange' }, 9e9), true, false],
    ['OnChange, changed', fakeSynced({ refreshPolicy: 'OnChange' }, 0, { syncedResourceVersion: '0-x' }), false, true],
  ]
  it.each(rows)('%s', (_name, es, told, wanted) => {
    expect(isRefreshDue(es, startMs, told)).toBe(wanted)
  })
})

describe('a Secret is valid', () => {
  const es = fakeSynced()
  const good = fakeSecret(es, { k: 'v' })
  it.each([
    ['as written', good, true],
    ['absent', undefined, false],
    ['edited', { ...good, data: { k: 'AAAA' } }, false],
    ['without label', { ...good, metadata: { ...good.metadata, labels: {} } }, false],
    ['without hash', { ...good, metadata: { ...good.metadata, annotations: {} } }, false],
  ] as [string, Secret | undefined, boolean][])('%s: %s', (_name, secret, wanted) => {
    expect(isSecretValid(es, secret)).toBe(wanted)
  })
  it('always for an orphan', () => {
    expect(isSecretValid(fakeSynced({ target: { creationPolicy: 'Orphan' } }), undefined)).toBe(true)
  })
})

describe('the plan', () => {
  const es = fakeSynced()
  const secret = fakeSecret(es, { k: 'v' })
  const withStore = (state: 'new' | 'foreign' | 'unready' | 'missing') => new Map([['vault', { state }]])

  it("is to settle when nothing is due, and comes back at the interval's end", () => {
    const plan = planFor(observed(es, { secret }))
    expect(plan).toMatchObject({ do: 'settle', verdict: { next: { when: 'after', ms: 3_540_000 }, events: [] } })
    expect(plan.do === 'settle' && plan.verdict.status).toEqual(es.status)
  })

  it.each([
    ['foreign', { do: 'ignore' }],
    ['new', { do: 'wait' }],
    ['unready', { do: 'collect' }],
    ['missing', { do: 'collect' }],
  ] as const)('with a store that is %s is %j', (state, wanted) => {
    expect(planFor(observed(fakeExternalSecret(), { stores: withStore(state) }))).toMatchObject(wanted)
  })

  it.each([
    [{ target: { template: { data: {} } } }, 'spec.target.template is not supported by this version of Coffer'],
    [{ target: { manifest: { kind: 'ConfigMap', apiVersion: 'v1' } } }, 'spec.target.manifest is'],
    [{ syncWindows: { kind: 'allow' } }, 'spec.syncWindows is'],
    [{ secretStoreRef: { name: 'x', kind: 'ClusterSecretStore' } }, 'spec.secretStoreRef.kind ClusterSecretStore is'],
    [{ dataFrom: [{ find: {} }] }, 'spec.dataFrom[0].find is'],
    [{ dataFrom: [{ extract: { key: 'a' }, rewrite: [{}] }] }, 'spec.dataFrom[0].rewrite is'],
    [{ dataFrom: [{ sourceRef: { generatorRef: { kind: 'UUID' } } }] }, 'spec.dataFrom[0].sourceRef.generatorRef is'],
    [
      { data: [{ secretKey: 'a', remoteRef: { key: 'a', metadataPolicy: 'Fetch' } }] },
      'spec.data[0].remoteRef.metadataPolicy Fetch is',
    ],
    [{ refreshInterval: '1 hour' }, 'spec.refreshInterval "1 hour" is no duration'],
    [{ target: { creationPolicy: 'Merge', deletionPolicy: 'Delete' } }, 'deletionPolicy=Delete must not be used'],
    [{ target: { creationPolicy: 'None', deletionPolicy: 'Merge' } }, 'deletionPolicy=Merge must not be used'],
    [{ dataFrom: [{}] }, 'either extract, find, or sourceRef must be set to dataFrom'],
    [{ data: [1, 2].map(() => ({ secretKey: 'a', remoteRef: { key: 'a' } })) }, 'duplicate secretKey found: a'],
  ])('refuses %j and says so', (spec, words) => {
    const plan = planFor(observed(fakeExternalSecret(spec)))
    expect(plan).toMatchObject({
      do: 'settle',
      verdict: {
        secret: { write: 'nothing' },
        next: { when: 'never' },
        events: [{ type: 'Warning', reason: 'UpdateFailed', message: expect.stringContaining(words) }],
        status: {
          conditions: [{ status: 'False', reason: 'SecretSyncedError', message: expect.stringContaining(words) }],
        },
      },
    })
  })

  it('at deletion takes the Secret along only if asked to and if it is ours', () => {
    const deleting = (policy: string) =>
      fakeExternalSecret({ target: { deletionPolicy: policy } }, undefined, {
        deletionTimestamp: '2026-01-02T00:00:00Z',
      })
    const foreign = { ...secret, metadata: { ...secret.metadata, ownerReferences: [] } }
    expect(planFor(observed(deleting('Delete'), { secret }))).toEqual({ do: 'finish', deleteSecret: true })
    expect(planFor(observed(deleting('Retain'), { secret }))).toEqual({ do: 'finish', deleteSecret: false })
    expect(planFor(observed(deleting('Delete'), { secret: foreign }))).toEqual({ do: 'finish', deleteSecret: false })
  })
})

describe('the verdict', () => {
  it('writes nothing when the Secret is as it should be', () => {
    const es = fakeSynced()
    const verdict = verdictOn(observed(es, { secret: fakeSecret(es, { k: 'v' }) }), collected({ k: 'v' }))
    expect(verdict).toMatchObject({
      secret: { write: 'nothing' },
      events: [],
      status: { refreshTime: '2026-01-02T03:04:05Z' },
    })
    expect(conditionOf(verdict, 'Ready')?.lastTransitionTime).toBe('2026-01-01T00:00:00Z')
  })

  it('on failure changes nothing but the condition', () => {
    const es = fakeSynced()
    const secret = fakeSecret(es, { k: 'v' })
    const verdict = verdictOn(observed(es, { secret }), { ok: false, message: 'why', retry: 'backoff' })
    expect(verdict).toMatchObject({ secret: { write: 'nothing' }, orphans: [], next: { when: 'backoff' } })
    expect({ ...verdict.status, conditions: [] }).toEqual({ ...es.status, conditions: [] })
    expect(conditionOf(verdict, 'Ready')).toEqual({
      type: 'Ready',
      status: 'False',
      reason: 'SecretSyncedError',
      message: 'could not get secret data from provider',
      lastTransitionTime: '2026-01-02T03:04:05Z',
    })
  })

  it('leaves a Secret alone that another controller owns', () => {
    const es = fakeExternalSecret()
    const owner = { name: 'o', uid: 'other', controller: true }
    const owned = (kind: string, apiVersion: string) =>
      fakeSecret(es, {}, { ownerReferences: [{ ...owner, kind, apiVersion }] })
    const message = (secret: Secret) => {
      const verdict = verdictOn(observed(es, { secret }), collected({ k: 'v' }))
      expect(verdict).toMatchObject({ secret: { write: 'nothing' }, next: { when: 'never' } })
      return conditionOf(verdict, 'Ready')?.message
    }
    expect(message(owned('ExternalSecret', 'external-secrets.io/v1beta1'))).toBe(
      'target is owned by another ExternalSecret',
    )
    expect(message(owned('Certificate', 'cert-manager.io/v1'))).toBe('failed to take ownership of target secret')
  })

  it('does not change an immutable Secret', () => {
    const es = fakeSynced({ target: { immutable: true } })
    const secret = { ...fakeSecret(es, { k: 'old' }), immutable: true }
    const verdict = verdictOn(observed(es, { secret }), collected({ k: 'new' }))
    expect(conditionOf(verdict, 'Ready')?.message).toBe('could not update secret, target is immutable')
    expect(verdict).toMatchObject({ secret: { write: 'nothing' }, next: { when: 'never' } })
    const created = written(verdictOn(observed(es), collected({ k: 'new' })))
    expect(created?.immutable).toBe(true)
  })

  it('of Merge keeps foreign keys and drops its own stale ones', () => {
    const es = fakeExternalSecret({ target: { creationPolicy: 'Merge' } })
    const secret = fakeSecret(
      es,
      { foreign: 'f', stale: 's', k: 'old' },
      {
        ownerReferences: undefined,
        labels: { mine: 'yes' },
        managedFields: [
          { manager: fieldManagerOf('es'), operation: 'Update', fieldsV1: { 'f:data': { 'f:stale': {}, 'f:k': {} } } },
        ],
      },
    )
    const result = written(verdictOn(observed(es, { secret }), collected({ k: 'v' })))
    expect(texts(result)).toEqual({ foreign: 'f', k: 'v' })
    expect(result?.metadata.ownerReferences).toBeUndefined()
    expect(result?.metadata.labels).toEqual({ mine: 'yes', 'reconcile.external-secrets.io/managed': 'true' })
    const hash = dataHash(
      new Map([
        ['foreign', Buffer.from('f')],
        ['k', Buffer.from('v')],
      ]),
    )
    expect(result?.metadata.annotations).toEqual({ [dataHashAnnotation]: hash })
  })

  it('gives up ownership when the policy changes', () => {
    const owner = fakeSynced()
    const secret = fakeSecret(owner, { k: 'v' })
    const es = fakeSynced({ target: { creationPolicy: 'Orphan' } })
    const result = written(verdictOn(observed(es, { secret }), collected({ k: 'v' })))
    expect(result?.metadata.ownerReferences).toEqual([])
    expect(result?.metadata.labels).toEqual({ 'reconcile.external-secrets.io/managed': 'true' })
  })

  it('removes labels and annotations that the ExternalSecret lost, not those of others', () => {
    const es = fakeExternalSecret({}, undefined, { labels: { now: '1' } })
    const fields = { 'f:metadata': { 'f:labels': { 'f:before': {} }, 'f:annotations': { 'f:gone': {} } } }
    const secret = fakeSecret(
      es,
      { k: 'v' },
      {
        labels: { before: '1', other: '1' },
        annotations: { gone: '1', kept: '1' },
        managedFields: [{ manager: fieldManagerOf('es'), operation: 'Update', fieldsV1: fields }],
      },
    )
    const { labels, annotations } = written(verdictOn(observed(es, { secret }), collected({ k: 'v' })))?.metadata ?? {}
    expect(Object.keys(labels ?? {}).sort()).toEqual([
      'now',
      'other',
      'reconcile.external-secrets.io/created-by',
      'reconcile.external-secrets.io/managed',
    ])
    expect(Object.keys(annotations ?? {}).sort()).toEqual(['kept', 'reconcile.external-secrets.io/data-hash'])
  })

  it('deletes only what it owns, and only if asked to', () => {
    const es = fakeSynced({ target: { deletionPolicy: 'Delete' } })
    const secret = fakeSecret(es, { k: 'v' })
    const gone = verdictOn(observed(es, { secret }), collected({}))
    expect(gone).toMatchObject({ secret: { write: 'delete', secret }, status: { binding: { name: '' } } })
    expect(gone.events).toEqual([
      { type: 'Normal', reason: 'Deleted', message: 'secret deleted due to DeletionPolicy=Delete' },
    ])
    const foreign = { ...secret, metadata: { ...secret.metadata, ownerReferences: [] } }
    const kept = verdictOn(observed(es, { secret: foreign }), collected({}))
    expect(kept.secret).toEqual({ write: 'nothing' })
    expect(conditionOf(kept, 'Ready')).toMatchObject({ status: 'False', message: 'could not delete secret' })
    const retained = verdictOn(observed(fakeSynced(), { secret }), collected({}))
    expect(retained).toMatchObject({ secret: { write: 'nothing' }, status: { binding: { name: 'es' } } })
  })
})

describe('Stale', () => {
  const outages = [{ store: 'vault', outage: { reason: 'StoreSealed', sinceMs: startMs - 5000, message: '' } }] as const
  const since = '2026-01-02T03:04:00Z'

  it('comes with an outage, beside an unchanged Ready, and keeps its beginning', () => {
    const es = fakeSynced()
    const secret = fakeSecret(es, { k: 'v' })
    const plan = planFor(observed(es, { secret, outages }))
    if (plan.do !== 'settle') throw new Error(plan.do)
    expect(conditionOf(plan.verdict, 'Ready')).toEqual(es.status.conditions[0])
    expect(conditionOf(plan.verdict, 'Stale')).toEqual({
      type: 'Stale',
      status: 'True',
      reason: 'StoreSealed',
      message: `SecretStore "vault" is sealed; the values read at 2026-01-02T03:03:05Z are kept; since=${since}; until=no limit (no lease and no maxStale is set)`,
      lastTransitionTime: since,
    })
    // Another process sees the same outage later.
    const again = fakeSynced({}, 60_000, { conditions: plan.verdict.status.conditions })
    const later = [{ ...outages[0], outage: { ...outages[0].outage, sinceMs: startMs } }]
    const next = planFor(observed(again, { secret, outages: later, nowMs: startMs + 60_000 }))
    expect(next.do === 'settle' && next.verdict.status).toEqual(again.status)
  })

  it('stays while no sync has worked, and becomes False with the first that does', () => {
    const conditions = [
      { type: 'Stale', status: 'True', reason: 'StoreSealed', message: 'm', lastTransitionTime: since },
    ]
    const es = fakeSynced({}, 60_000, { conditions })
    const failing = verdictOn(observed(es), { ok: false, message: 'denied', retry: 'backoff' })
    expect(conditionOf(failing, 'Stale')).toEqual(conditions[0])
    const working = verdictOn(observed(es), collected({ k: 'v' }))
    expect(conditionOf(working, 'Stale')).toEqual({
      type: 'Stale',
      status: 'False',
      reason: 'Current',
      message: `current again; was stale since ${since}`,
      lastTransitionTime: '2026-01-02T03:04:05Z',
    })
  })

  it.each([
    ['never synced', fakeExternalSecret()],
    ['synced once only', fakeSynced({ refreshPolicy: 'CreatedOnce' })],
    ['interval 0', fakeSynced({ refreshInterval: '0s' })],
  ])('does not come to what does not follow its store: %s', (_name, es) => {
    const verdict = verdictOn(observed(es, { outages }), { ok: false, message: 'down', retry: 'store' })
    expect(conditionOf(verdict, 'Stale')).toBeUndefined()
  })
})
