/** Who is in somebody's cluster already and would act on what a run makes: named, with what to do about it. Reads only. */
import { matchesLabels, readLabelSelector } from '../../../../devcluster/api/store/selectors.ts'
import { ApiError, type KubeClient, type KubeObject } from '../../../../kube/client.ts'
import {
  type Deployment,
  deployments,
  mutatingWebhookConfigurations,
  namespaces,
} from '../../../../kube/object-types.ts'
import { isOurs, labelsOf, managedBy, managedByLabel, runName } from '../run-marks.ts'

/** The first reason not to begin; undefined: nobody is in the way. */
export async function findRival(kube: KubeClient, runId: string): Promise<string | undefined> {
  return (await rivalInjector(kube, runId)) ?? (await rivalController(kube, runName(runId)))
}

async function rivalInjector(kube: KubeClient, runId: string): Promise<string | undefined> {
  const labels = { ...labelsOf({ id: runId }), 'kubernetes.io/metadata.name': runName(runId) }
  const { items } = await kube.list(mutatingWebhookConfigurations)
  for (const configuration of items) {
    if (isOurs(configuration)) continue
    const webhook = (configuration.webhooks ?? []).find(
      (one) => one.name === 'vault.hashicorp.com' && selects(one.namespaceSelector, labels),
    )
    if (webhook)
      return `MutatingWebhookConfiguration ${configuration.metadata.name} has the webhook ${webhook.name}, which would change this run's pods too. Keep it away with a namespaceSelector ({matchExpressions: [{key: ${managedByLabel}, operator: NotIn, values: [${managedBy}]}]}), or use another cluster`
  }
  return undefined
}

/** An absent selector of a webhook selects every namespace. */
function selects(selector: unknown, labels: Readonly<Record<string, string>>): boolean {
  const requirements = readLabelSelector(selector)
  return requirements === undefined || matchesLabels(requirements, labels)
}

async function rivalController(kube: KubeClient, namespace: string): Promise<string | undefined> {
  let all: readonly Deployment[]
  try {
    all = (await kube.list(deployments)).items
  } catch (error) {
    // Who may not look at other namespaces is told that nobody looked.
    if (error instanceof ApiError && error.status === 403)
      return `Deployments can't be listed (${error.message}), so nobody knows whether an External Secrets controller runs here; list them with more rights, or use another cluster`
    throw error
  }
  const rival = all.find((deployment) => worksOn(deployment, namespace))
  if (!rival) return undefined
  const { namespace: where, name } = rival.metadata
  return `Deployment ${where}/${name} is an External Secrets controller, which would work on this run's ExternalSecrets too. Scale it to 0 (kubectl -n ${where} scale deployment ${name} --replicas=0), limit it with --namespace, or use another cluster`
}

/** ESO's own images, and ours as `coffer controller`; not the webhook and the certificate controller of ESO. */
function worksOn(deployment: Deployment, namespace: string): boolean {
  if (deployment.spec?.replicas === 0) return false
  return (deployment.spec?.template?.spec?.containers ?? []).some(({ image = '', command = [], args = [] }) => {
    const words = [...command, ...args]
    const program = /(^|\/)([^/:@]+)([:@][^/]*)?$/.exec(image)?.[2] ?? ''
    const isEso = program === 'external-secrets' && !words.includes('webhook') && !words.includes('certcontroller')
    const isCoffer = program === 'coffer' && words.includes('controller')
    const only = limitOf(words)
    return (isEso || isCoffer) && (only === undefined || only === namespace)
  })
}

function limitOf(words: readonly string[]): string | undefined {
  const at = words.indexOf('--namespace')
  const joined = words.find((word) => word.startsWith('--namespace='))
  return (at >= 0 ? words[at + 1] : joined?.slice('--namespace='.length)) || undefined
}

/** Other runs: they may be alive, here or on another machine, so they are only told of. */
export async function otherRuns(kube: KubeClient): Promise<readonly string[]> {
  const { items } = await kube.list(namespaces, { labelSelector: `${managedByLabel}=${managedBy}` })
  return items.filter((one) => !one.metadata.deletionTimestamp).map(describeRun)
}

/** Who began the run, for people who find it. */
export const startedAnnotation = 'coffer.dev/started-by'

const describeRun = ({ metadata }: KubeObject) =>
  `${metadata.name} (${metadata.annotations?.[startedAnnotation] ?? 'by an unknown process'})`
