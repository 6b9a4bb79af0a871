/** Namespaces, nodes, service accounts and services. */
import type { KubeObject } from '../../../kube/client.ts'
import { type FieldProblem, invalid, notSupported, required } from '../field-problem.ts'
import { at, ensureTree, listAt, numberAt, setDefault, textAt, textsAt, treeAt, treesAt } from '../tree.ts'
import type { BuiltInKind } from './built-in.ts'
import { ageColumn, column, nameColumn, textColumn } from './columns.ts'
import { dns1035Problem, dnsLabelProblem } from './names.ts'

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
  fillDefaults: (namespace) => {
    const { metadata } = namespace
    if (metadata.name) metadata.labels = { ...metadata.labels, 'kubernetes.io/metadata.name': metadata.name }
  },
  prepareCreate: (namespace) => {
    namespace['spec'] = { finalizers: ['kubernetes'] }
    namespace['status'] = { phase: 'Active' }
  },
  // Finalizers of a namespace change only by its own end.
  prepareUpdate: (namespace, before) => {
    namespace['spec'] = before['spec']
  },
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
    column('OS-Image', 'string', (node) => textAt(node, 'status', 'nodeInfo', 'osImage') ?? '<unknown>', 1),
    column('Kernel-Version', 'string', (node) => textAt(node, 'status', 'nodeInfo', 'kernelVersion') ?? '<unknown>', 1),
    column(
      'Container-Runtime',
      'string',
      (node) => textAt(node, 'status', 'nodeInfo', 'containerRuntimeVersion') ?? '<unknown>',
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

export const serviceAccountKind: BuiltInKind = {
  group: '',
  version: 'v1',
  plural: 'serviceaccounts',
  kind: 'ServiceAccount',
  type: 'core.ServiceAccount',
  shortNames: ['sa'],
  columns: [nameColumn, column('Secrets', 'string', (account) => listAt(account, 'secrets').length), ageColumn],
}

const serviceTypes = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort']

export const serviceKind: BuiltInKind = {
  group: '',
  version: 'v1',
  plural: 'services',
  kind: 'Service',
  type: 'core.Service',
  shortNames: ['svc'],
  categories: ['all'],
  subresources: { status: true },
  nameProblem: dns1035Problem,
  columns: [
    nameColumn,
    textColumn('Type', 'spec', 'type'),
    column('Cluster-IP', 'string', (service) => textAt(service, 'spec', 'clusterIP') || '<none>'),
    column('External-IP', 'string', (service) => externalText(service)),
    column('Port(s)', 'string', (service) => portsText(service)),
    ageColumn,
    column('Selector', 'string', (service) => labelText(treeAt(service, 'spec', 'selector')), 1),
  ],
  selectableFields: ['spec.clusterIP', 'spec.type'],
  fillDefaults: (service) => {
    const spec = ensureTree(service, 'spec')
    setDefault(spec, 'type', 'ClusterIP')
    setDefault(spec, 'sessionAffinity', 'None')
    if (spec['type'] !== 'ExternalName') setDefault(spec, 'internalTrafficPolicy', 'Cluster')
    for (const port of treesAt(spec, 'ports')) {
      setDefault(port, 'protocol', 'TCP')
      setDefault(port, 'targetPort', port['port'])
    }
  },
  prepareCreate: (service) => {
    // No address is handed out: nothing here forwards traffic. A Service is an object to look at, always headless.
    const spec = ensureTree(service, 'spec')
    if (spec['type'] !== 'ExternalName') {
      setDefault(spec, 'clusterIP', 'None')
      setDefault(spec, 'clusterIPs', [spec['clusterIP']])
    }
    service['status'] = { loadBalancer: {} }
  },
  prepareUpdate: (service, before) => {
    const spec = ensureTree(service, 'spec')
    if (spec['type'] === 'ExternalName') return
    setDefault(spec, 'clusterIP', at(before, 'spec', 'clusterIP') ?? 'None')
    setDefault(spec, 'clusterIPs', [spec['clusterIP']])
  },
  validate: serviceProblems,
}

function serviceProblems(service: KubeObject): FieldProblem[] {
  const type = textAt(service, 'spec', 'type') ?? ''
  const ports = treesAt(service, 'spec', 'ports')
  const out: FieldProblem[] = []
  if (!serviceTypes.includes(type)) out.push(notSupported('spec.type', type, serviceTypes))
  if (type === 'ExternalName' && !textAt(service, 'spec', 'externalName')) out.push(required('spec.externalName'))
  const names = new Set<string>()
  ports.forEach((port, index) => {
    const path = `spec.ports[${index}]`
    const number = numberAt(port, 'port') ?? 0
    const name = textAt(port, 'name') ?? ''
    if (ports.length > 1 && name === '') out.push(required(`${path}.name`))
    if (name !== '' && names.has(name)) out.push(invalid(`${path}.name`, name, 'must be unique'))
    names.add(name)
    if (number < 1 || number > 65_535)
      out.push(invalid(`${path}.port`, number, 'must be between 1 and 65535, inclusive'))
  })
  return out
}

function externalText(service: KubeObject): string {
  if (textAt(service, 'spec', 'type') === 'ExternalName') return textAt(service, 'spec', 'externalName') ?? ''
  return textsAt(service, 'spec', 'externalIPs').join(',') || '<none>'
}

function portsText(service: KubeObject): string {
  const ports = treesAt(service, 'spec', 'ports')
  return ports.map((port) => `${port['port']}/${port['protocol']}`).join(',') || '<none>'
}

function labelText(labels: { [member: string]: unknown } | undefined): string {
  const pairs = Object.entries(labels ?? {}).map(([key, value]) => `${key}=${String(value)}`)
  return pairs.join(',') || '<none>'
}
