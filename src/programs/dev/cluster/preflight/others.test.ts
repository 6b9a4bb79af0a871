import { describe, expect, it } from 'vitest'
import { ApiError, type KubeClient } from '../../../../kube/client.ts'
import { findRival } from './others.ts'

function cluster(objects: { webhooks?: object[]; labels?: object; deployments?: object[] | Error }): KubeClient {
  const { webhooks = [], labels = {}, deployments = [] } = objects
  const list = async ({ plural }: { plural: string }) => {
    if (plural === 'mutatingwebhookconfigurations')
      return { items: [{ metadata: { name: 'injector', labels }, webhooks }] }
    if (deployments instanceof Error) throw deployments
    return { items: deployments }
  }
  return { list } as any
}
const hook = (more: object = {}) => ({ name: 'vault.hashicorp.com', ...more })
const deployment = (image: string, args: string[] = [], replicas = 1) => ({
  metadata: { namespace: 'eso', name: 'd' },
  spec: { replicas, template: { spec: { containers: [{ name: 'c', image, args }] } } },
})
const eso = 'oci.external-secrets.io/external-secrets/external-secrets:v1.0.0'
const exceptUs = {
  matchExpressions: [{ key: 'app.kubernetes.io/managed-by', operator: 'NotIn', values: ['coffer-dev'] }],
}

describe('who would act on what a run makes', () => {
  it.each([
    ['an injector for all namespaces', { webhooks: [hook()] }],
    ['an injector whose selector fits', { webhooks: [hook({ namespaceSelector: { matchExpressions: [] } })] }],
    ['ESO', { deployments: [deployment(eso)] }],
    ['ESO for the very namespace', { deployments: [deployment(eso, ['--namespace', 'coffer-dev-1'])] }],
    ['ESO by digest', { deployments: [deployment('external-secrets@sha256:0')] }],
    ['our own controller', { deployments: [deployment('registry/coffer:1', ['controller'])] }],
    ['nobody may look', { deployments: new ApiError(403, 'Forbidden', 'deployments.apps is forbidden') }],
  ])('%s: refused', async (_what, objects) => {
    expect(await findRival(cluster(objects), '1')).toMatch(/namespaceSelector|another cluster/)
  })

  it.each([
    ['other webhooks', { webhooks: [{ name: 'sidecar-injector.istio.io' }] }],
    ['an injector that is kept away, as the refusal says', { webhooks: [hook({ namespaceSelector: exceptUs })] }],
    ["another run's injector", { webhooks: [hook()], labels: { 'app.kubernetes.io/managed-by': 'coffer-dev' } }],
    ['ESO at rest', { deployments: [deployment(eso, [], 0)] }],
    ["ESO's webhook", { deployments: [deployment(eso, ['webhook'])] }],
    ['ESO for another namespace', { deployments: [deployment(eso, ['--namespace=team-a'])] }],
    ['a server of ours', { deployments: [deployment('registry/coffer:1', ['server'])] }],
    ['something of a like name', { deployments: [deployment('acme/my-external-secrets:1')] }],
  ])('%s: no obstacle', async (_what, objects) => {
    expect(await findRival(cluster(objects), '1')).toBeUndefined()
  })
})
