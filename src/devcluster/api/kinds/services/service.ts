/** Services: objects to look at; nothing here forwards traffic. */
import type { KubeObject } from '../../../../kube/client.ts'
import { at, ensureTree, setDefault, textAt, textsAt, treeAt, treesAt } from '../../tree.ts'
import type { BuiltInKind } from '../built-in.ts'
import { ageColumn, column, nameColumn, textColumn } from '../columns.ts'
import { dns1035Problem } from '../names.ts'
import { serviceProblems, serviceWarnings } from './service-rules.ts'

export const serviceKind: BuiltInKind = {
  group: '',
  version: 'v1',
  plural: 'services',
  kind: 'Service',
  type: 'core.Service',
  shortNames: ['svc'],
  categories: ['all'],
  subresources: { status: true },
  createOnUpdate: true,
  answersDeleted: true,
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
    if (spec['sessionAffinity'] === 'None') delete spec['sessionAffinityConfig']
    if (spec['sessionAffinity'] === 'ClientIP')
      setDefault(ensureTree(spec, 'sessionAffinityConfig', 'clientIP'), 'timeoutSeconds', 10_800)
    if (spec['type'] !== 'ExternalName') setDefault(spec, 'internalTrafficPolicy', 'Cluster')
    for (const port of treesAt(spec, 'ports')) {
      setDefault(port, 'protocol', 'TCP')
      if (port['targetPort'] === 0 || port['targetPort'] === '') delete port['targetPort']
      setDefault(port, 'targetPort', port['port'])
    }
  },
  prepareCreate: (service) => {
    // No address is handed out: nothing here forwards traffic. A Service is an object to look at, always headless.
    const spec = ensureTree(service, 'spec')
    const anyone = spec['clusterIP'] === 'None' && !treeAt(spec, 'selector')
    // One that lacks ports is refused, which a headless one would not be.
    const fits = spec['clusterIP'] === 'None' || treesAt(spec, 'ports').length > 0
    if (spec['type'] !== 'ExternalName' && fits) {
      setDefault(spec, 'clusterIP', 'None')
      setDefault(spec, 'clusterIPs', [spec['clusterIP']])
      setDefault(spec, 'ipFamilies', anyone ? ['IPv4', 'IPv6'] : ['IPv4'])
      setDefault(spec, 'ipFamilyPolicy', anyone ? 'RequireDualStack' : 'SingleStack')
    }
    service['status'] = { loadBalancer: {} }
  },
  prepareUpdate: (service, before) => {
    const spec = ensureTree(service, 'spec')
    if (spec['type'] === 'ExternalName') return
    setDefault(spec, 'clusterIP', at(before, 'spec', 'clusterIP') ?? 'None')
    setDefault(spec, 'clusterIPs', [spec['clusterIP']])
    for (const member of ['ipFamilies', 'ipFamilyPolicy']) {
      const known = at(before, 'spec', member)
      if (known !== undefined) setDefault(spec, member, structuredClone(known))
    }
  },
  warningsOf: serviceWarnings,
  validate: serviceProblems,
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
