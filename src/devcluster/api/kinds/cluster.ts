/** Namespaces, nodes and service accounts. */
import type { KubeObject } from '../../../kube/client.ts'
import { at, listAt, textAt, textsAt, treesAt } from '../tree.ts'
import type { BuiltInKind } from './built-in.ts'
import { ageColumn, column, nameColumn, textColumn } from './columns.ts'
import { finalizerNameProblems } from './metadata-rules.ts'
import { dnsLabelProblem } from './names.ts'

export const namespaceKind: BuiltInKind = {
  group: '',
  version: 'v1',
  plural: 'namespaces',
  kind: 'Namespace',
  type: 'core.Namespace',
  shortNames: ['ns'],
  namespaced: false,
  subresources: { status: true },
  nameProblem: dnsLabelProblem,
  columns: [nameColumn, textColumn('Status', 'status', 'phase'), ageColumn],
  selectableFields: ['status.phase'],
  collectionDelete: false,
  answersDeleted: true,
  fillDefaults: (namespace) => {
    const { metadata } = namespace
    delete metadata.namespace
    if (metadata.name) metadata.labels = { ...metadata.labels, 'kubernetes.io/metadata.name': metadata.name }
  },
  prepareCreate: (namespace) => {
    const finalizers = textsAt(namespace, 'spec', 'finalizers')
    namespace['spec'] = { finalizers: finalizers.includes('kubernetes') ? finalizers : [...finalizers, 'kubernetes'] }
    namespace['status'] = { phase: 'Active' }
  },
  // Finalizers of a namespace change only by its own end.
  prepareUpdate: (namespace, before) => {
    namespace['spec'] = before['spec']
  },
  validate: (namespace) =>
    textsAt(namespace, 'spec', 'finalizers').flatMap((finalizer) =>
      finalizerNameProblems(finalizer, 'spec.finalizers'),
    ),
}

export const nodeKind: BuiltInKind = {
  group: '',
  version: 'v1',
  plural: 'nodes',
  kind: 'Node',
  type: 'core.Node',
  shortNames: ['no'],
  namespaced: false,
  subresources: { status: true, statusOnCreate: 'kept' },
  columns: [
    nameColumn,
    column('Status', 'string', nodeStatusText),
    column('Roles', 'string', nodeRolesText),
    ageColumn,
    textColumn('Version', 'status', 'nodeInfo', 'kubeletVersion'),
    column('Internal-IP', 'string', (node) => nodeAddress(node, 'InternalIP') ?? '<none>', 1),
    column('External-IP', 'string', (node) => nodeAddress(node, 'ExternalIP') ?? '<none>', 1),
    column('OS-Image', 'string', (node) => textAt(node, 'status', 'nodeInfo', 'osImage') || '<unknown>', 1),
    column('Kernel-Version', 'string', (node) => textAt(node, 'status', 'nodeInfo', 'kernelVersion') || '<unknown>', 1),
    column(
      'Container-Runtime',
      'string',
      (node) => textAt(node, 'status', 'nodeInfo', 'containerRuntimeVersion') || '<unknown>',
      1,
    ),
  ],
  selectableFields: ['spec.unschedulable'],
}

function nodeStatusText(node: KubeObject): string {
  const ready = treesAt(node, 'status', 'conditions').find((condition) => condition['type'] === 'Ready')
  const text = ready ? (ready['status'] === 'True' ? 'Ready' : 'NotReady') : 'Unknown'
  return at(node, 'spec', 'unschedulable') === true ? `${text},SchedulingDisabled` : text
}

function nodeRolesText(node: KubeObject): string {
  const prefix = 'node-role.kubernetes.io/'
  const roles = Object.keys(node.metadata.labels ?? {}).filter((label) => label.startsWith(prefix))
  return roles.map((label) => label.slice(prefix.length)).join(',') || '<none>'
}

export function nodeAddress(node: KubeObject, type: string): string | undefined {
  return textAt(
    treesAt(node, 'status', 'addresses').find((address) => address['type'] === type),
    'address',
  )
}

/** Of its secrets an account keeps the names. */
function nameOnly(account: KubeObject): void {
  if (Array.isArray(account['secrets']))
    account['secrets'] = treesAt(account, 'secrets').map(({ name }) => (name ? { name } : {}))
}

export const serviceAccountKind: BuiltInKind = {
  group: '',
  version: 'v1',
  plural: 'serviceaccounts',
  kind: 'ServiceAccount',
  type: 'core.ServiceAccount',
  prepareCreate: nameOnly,
  prepareUpdate: nameOnly,
  shortNames: ['sa'],
  answersDeleted: true,
  warningsOf: (account, before) => {
    const annotation = 'kubernetes.io/enforce-mountable-secrets'
    const known = before?.metadata.annotations?.[annotation] !== undefined
    return known || account.metadata.annotations?.[annotation] === undefined
      ? []
      : [
          `metadata.annotations[${annotation}]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets`,
        ]
  },
  columns: [nameColumn, column('Secrets', 'string', (account) => listAt(account, 'secrets').length), ageColumn],
}
