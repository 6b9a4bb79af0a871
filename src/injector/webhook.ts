import type { AdmissionHandler, AdmissionRequest, AdmissionVerdict } from '../kube/admission.ts'
import type { Logger } from '../lib/log.ts'
import { Annotations, prefix } from './annotations/known.ts'
import { Denial, during, goBool } from './annotations/values.ts'
import type { InjectorDefaults } from './defaults.ts'
import { readInjection } from './parse/injection.ts'
import { warningsFor } from './parse/warnings.ts'
import { podPatch } from './patch/pod-patch.ts'
import { type PodView, readPod } from './pod.ts'

const systemNamespaces = ['kube-system', 'kube-public']

/** The webhook at /mutate. Asks nobody on the way: what it says depends on the pod and the defaults alone. */
export function podWebhook(options: { readonly defaults: InjectorDefaults; readonly log: Logger }): AdmissionHandler {
  const { defaults, log } = options
  return async (request) => {
    const verdict = admit(request, defaults)
    const pod = request.name || generateName(request.object)
    if (!verdict.allowed) log.warn('injection.denied', { namespace: request.namespace, pod, reason: verdict.message })
    else if (verdict.patch) log.info('injection.done', { namespace: request.namespace, pod })
    return verdict
  }
}

/** Pure: the verdict on one pod. */
export function admit(
  request: Pick<AdmissionRequest, 'object' | 'namespace'>,
  defaults: InjectorDefaults,
): AdmissionVerdict {
  const pod = readPod(request.object)
  if (!pod) return { allowed: false, message: 'the object is no pod' }
  try {
    if (!wantsInjection(pod)) return { allowed: true }
    const namespace = request.namespace || pod.namespace
    if (systemNamespaces.includes(namespace)) {
      throw new Denial(`error with request namespace: cannot inject into system namespaces: ${namespace}`)
    }
    const spec = readInjection(pod, defaults)
    const patch = during('error creating patch for agent', undefined, () => podPatch(pod, spec))
    const warnings = warningsFor(pod, spec)
    return warnings.length > 0 ? { allowed: true, patch, warnings } : { allowed: true, patch }
  } catch (error) {
    if (!(error instanceof Denial)) throw error
    const { message, hint } = error
    return hint === undefined
      ? { allowed: false, message }
      : { allowed: false, message, warnings: [hint.includes(' ') ? hint : `see the annotation ${prefix}${hint}`] }
  }
}

function wantsInjection(pod: PodView): boolean {
  const annotations = new Annotations(pod.annotations)
  const wanted = annotations.get('agent-inject')
  if (wanted === undefined) return false
  // The two quotes are part of the field's text.
  if (!during("error checking if should inject agent: cannot parse '' as bool", 'agent-inject', () => goBool(wanted))) {
    return false
  }
  if (pod.phase !== '' && pod.phase !== 'Pending') return false
  return annotations.get('agent-inject-status') !== 'injected'
}

function generateName(object: unknown): string {
  const metadata = typeof object === 'object' && object !== null && 'metadata' in object ? object.metadata : undefined
  if (typeof metadata !== 'object' || metadata === null || !('generateName' in metadata)) return ''
  return typeof metadata.generateName === 'string' ? metadata.generateName : ''
}
