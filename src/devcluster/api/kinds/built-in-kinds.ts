/** Every built-in kind. */
import { definitionKind } from '../crds/definition-kind.ts'
import type { Resource } from '../resource.ts'
import type { BuiltInShapes } from '../shapes/built-in-shapes.ts'
import { leaseKind, rbacKinds } from './access.ts'
import { cronJobKind } from './batch/cron-job.ts'
import { jobKind } from './batch/job.ts'
import { builtIn } from './built-in.ts'
import { namespaceKind, nodeKind, serviceAccountKind } from './cluster.ts'
import { eventKind, newEventKind } from './events.ts'
import { podKind } from './pods/pod.ts'
import { configMapKind, secretKind } from './secrets.ts'
import { serviceKind } from './services/service.ts'
import { mutatingWebhookKind, validatingWebhookKind } from './webhook-configurations.ts'
import { deploymentKind, replicaSetKind } from './workloads.ts'

export function builtInKinds(shapes: BuiltInShapes): readonly Resource[] {
  return [
    configMapKind,
    eventKind,
    namespaceKind,
    nodeKind,
    podKind,
    secretKind,
    serviceAccountKind,
    serviceKind,
    deploymentKind,
    replicaSetKind,
    jobKind,
    cronJobKind,
    newEventKind,
    leaseKind,
    ...rbacKinds,
    mutatingWebhookKind,
    validatingWebhookKind,
    definitionKind,
  ].map((kind) => builtIn(shapes, kind))
}
