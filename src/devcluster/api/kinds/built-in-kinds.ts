/** Every built-in kind. */
import { definitionKind } from '../crds/definition-kind.ts'
import type { Resource } from '../resource.ts'
import type { BuiltInShapes } from '../shapes/built-in-shapes.ts'
import { leaseKind, rbacKinds } from './access.ts'
import { builtIn } from './built-in.ts'
import { namespaceKind, nodeKind, serviceAccountKind, serviceKind } from './cluster.ts'
import { eventKind, newEventKind } from './events.ts'
import { podKind } from './pods/pod.ts'
import { configMapKind, secretKind } from './secrets.ts'
import { mutatingWebhookKind } from './webhook-configurations.ts'
import { deploymentKind, replicaSetKind } from './workloads.ts'

export function builtInKinds(shapes: BuiltInShapes, nowText: () => string): readonly Resource[] {
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
    newEventKind,
    leaseKind,
    ...rbacKinds,
    mutatingWebhookKind,
    definitionKind(nowText),
  ].map((kind) => builtIn(shapes, kind))
}
