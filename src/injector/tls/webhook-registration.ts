import { ApiError, type KubeClient } from '../../kube/client.ts'
import { type MutatingWebhookConfiguration, mutatingWebhookConfigurations } from '../../kube/object-types.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/log.ts'
import { bundleWith } from './ca-bundle.ts'

export interface RegistrationOptions {
  readonly kube: KubeClient
  /** Name of the MutatingWebhookConfiguration. */
  readonly name: string
  readonly caPem: string
  /** Outside a cluster: the address at which the API server finds us; the configuration is then made here, not by a chart. */
  readonly url?: string
  readonly clock: Clock
  readonly log: Logger
  /** Whether the API server can trust us now. */
  onState(registered: boolean): void
}

const fieldManager = 'coffer-injector'
const retryMs = 5000

/** Keeps our CA in the caBundle of each webhook of the configuration, whoever changes it, until the signal aborts. */
export async function keepRegistered(options: RegistrationOptions, signal: AbortSignal): Promise<void> {
  const { kube, name, log } = options
  if (options.url)
    await kube.apply(mutatingWebhookConfigurations, ownConfiguration(options), { fieldManager, force: true })
  for await (const event of kube.watch(
    mutatingWebhookConfigurations,
    { fieldSelector: `metadata.name=${name}` },
    signal,
  )) {
    if (event.type === 'synced' || event.object.metadata.name !== name) continue
    if (event.type === 'deleted') {
      log.warn('webhook.configuration_gone', { name })
      options.onState(false)
      continue
    }
    for (;;) {
      const outcome = await mend(options, event.object)
      options.onState(outcome === 'registered')
      if (outcome !== 'failed' || signal.aborted) break
      await options.clock.sleep(retryMs, signal).catch(() => undefined)
    }
  }
}

/**
 * registered: our CA is in all of it. superseded: the object is another by now and comes as the next event. failed: no
 * event will come of it, so that it has to be tried again.
 */
type Outcome = 'registered' | 'superseded' | 'failed'

async function mend(options: RegistrationOptions, found: MutatingWebhookConfiguration): Promise<Outcome> {
  const { kube, name, caPem, clock, log } = options
  const operations = (found.webhooks ?? []).flatMap(({ clientConfig }, index) => {
    const bundle = bundleWith(clientConfig.caBundle, caPem, clock.now())
    return bundle === undefined ? [] : [{ op: 'add', path: `/webhooks/${index}/clientConfig/caBundle`, value: bundle }]
  })
  if (operations.length === 0) return (found.webhooks ?? []).length > 0 ? 'registered' : 'superseded'
  const same = { op: 'test', path: '/metadata/resourceVersion', value: found.metadata.resourceVersion }
  try {
    await kube.patch(
      mutatingWebhookConfigurations,
      { name },
      { kind: 'json', body: [same, ...operations] },
      { fieldManager },
    )
    log.info('webhook.ca_bundle_set', { name, webhooks: operations.length })
    return 'registered'
  } catch (error) {
    log.warn('webhook.ca_bundle_failed', { name, error: error instanceof Error ? error.message : 'unknown' })
    // A failed "test" of the version is 422 in Kubernetes.
    return error instanceof ApiError && [404, 409, 422].includes(error.status) ? 'superseded' : 'failed'
  }
}

function ownConfiguration(options: RegistrationOptions): MutatingWebhookConfiguration {
  const { name, caPem, url = '' } = options
  // Apart: the published types of 1.30 lack "resources".
  const rules = [
    { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'], scope: 'Namespaced' },
  ]
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    metadata: { name, labels: { 'app.kubernetes.io/managed-by': fieldManager } },
    webhooks: [
      {
        name: 'vault.hashicorp.com',
        admissionReviewVersions: ['v1', 'v1beta1'],
        clientConfig: { url: `${url}/mutate`, caBundle: Buffer.from(caPem).toString('base64') },
        rules,
        failurePolicy: 'Fail',
        matchPolicy: 'Equivalent',
        sideEffects: 'None',
        timeoutSeconds: 5,
      },
    ],
  }
}
