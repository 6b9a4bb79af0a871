/** What makes a Service invalid (k8s.io/kubernetes/pkg/apis/core/validation). */
import type { KubeObject } from '../../../../kube/client.ts'
import { duplicate, type FieldProblem, invalid, notSupported, required } from '../../field-problem.ts'
import { at, listAt, numberAt, type Tree, textAt, textMapAt, textsAt, treesAt } from '../../tree.ts'
import { labelProblems } from '../metadata-rules.ts'
import { dnsLabelProblem } from '../names.ts'

const serviceTypes = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort']

export function serviceProblems(service: KubeObject, before: KubeObject | undefined): FieldProblem[] {
  // Addresses are looked at before everything else.
  const families = before ? familyProblems(service) : []
  if (families.length > 0) return families
  const type = textAt(service, 'spec', 'type') ?? ''
  const ports = treesAt(service, 'spec', 'ports')
  const address = textAt(service, 'spec', 'clusterIP') ?? ''
  const affinity = textAt(service, 'spec', 'sessionAffinity') ?? ''
  const out: FieldProblem[] = []
  if (ports.length === 0 && address !== 'None' && type !== 'ExternalName') out.push(required('spec.ports'))
  out.push(...portProblems(ports))
  out.push(...labelProblems(textMapAt(service, 'spec', 'selector'), 'spec.selector'))
  if (affinity === '') out.push(required('spec.sessionAffinity'))
  else if (!['ClientIP', 'None'].includes(affinity))
    out.push(notSupported('spec.sessionAffinity', affinity, ['ClientIP', 'None']))
  if (!serviceTypes.includes(type)) out.push(notSupported('spec.type', type, serviceTypes))
  if (type === 'ExternalName' && !textAt(service, 'spec', 'externalName')) out.push(required('spec.externalName'))
  if (address !== '' && address !== 'None' && !/^[0-9a-f:]+$|^\d+(\.\d+){3}$/i.test(address))
    out.push(invalid('spec.clusterIPs[0]', address, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'))
  return out
}

/** One without a selector may be of both families, whatever the cluster has; one with pods may not. */
function familyProblems(service: KubeObject): FieldProblem[] {
  const families = textsAt(service, 'spec', 'ipFamilies')
  const hasPods = Object.keys(textMapAt(service, 'spec', 'selector')).length > 0
  if (!hasPods || !families.includes('IPv6')) return []
  const policy = textAt(service, 'spec', 'ipFamilyPolicy')
  return [
    ...(policy === 'RequireDualStack'
      ? [invalid('spec.ipFamilyPolicy', policy, 'this cluster is not configured for dual-stack services')]
      : []),
    invalid(`spec.ipFamilies[${families.indexOf('IPv6')}]`, 'IPv6', 'not configured on this cluster'),
  ]
}

export function serviceWarnings(service: KubeObject): string[] {
  const spec = service['spec']
  const isExternal = textAt(spec, 'type') === 'ExternalName'
  const headless = textAt(spec, 'type') === 'ClusterIP' && textAt(spec, 'clusterIP') === 'None'
  const external = listAt(spec, 'externalIPs').length > 0
  const out: string[] = []
  if (headless && textAt(spec, 'loadBalancerIP')) out.push('spec.loadBalancerIP is ignored for headless services')
  if (headless && external) out.push('spec.externalIPs is ignored for headless services')
  if (headless && textAt(spec, 'sessionAffinity') !== 'None')
    out.push('spec.SessionAffinity is ignored for headless services')
  if (isExternal && external) out.push('spec.externalIPs is ignored when spec.type is "ExternalName"')
  if (!isExternal && textAt(spec, 'externalName'))
    out.push('spec.externalName is ignored when spec.type is not "ExternalName"')
  return out
}

function portProblems(ports: readonly Tree[]): FieldProblem[] {
  const names = new Set<string>()
  const numbers = new Set<string>()
  const out: FieldProblem[] = []
  const twice: FieldProblem[] = []
  ports.forEach((port, index) => {
    const path = `spec.ports[${index}]`
    const name = textAt(port, 'name') ?? ''
    const nameProblem = name === '' ? undefined : dnsLabelProblem(name)
    if (ports.length > 1 && name === '') out.push(required(`${path}.name`))
    if (nameProblem) out.push(invalid(`${path}.name`, name, nameProblem))
    if (name !== '' && names.has(name)) out.push(duplicate(`${path}.name`, name))
    names.add(name)
    out.push(...onePortProblems(port, path))
    const { number, protocol } = { number: numberAt(port, 'port') ?? 0, protocol: textAt(port, 'protocol') ?? '' }
    const key = `${protocol} ${number}`
    if (numbers.has(key)) twice.push(duplicate(path, shownPort(protocol, number)))
    numbers.add(key)
  })
  return [...out, ...twice]
}

/** As Go prints the internal type, with everything that does not tell ports apart left out. */
const shownPort = (protocol: string, number: number) => ({
  Name: '',
  Protocol: protocol,
  AppProtocol: null,
  Port: number,
  TargetPort: 0,
  NodePort: 0,
})

function onePortProblems(port: Tree, path: string): FieldProblem[] {
  const number = numberAt(port, 'port') ?? 0
  const protocol = textAt(port, 'protocol') ?? ''
  const target = at(port, 'targetPort')
  const out: FieldProblem[] = []
  if (number < 1 || number > 65_535) out.push(invalid(`${path}.port`, number, range))
  if (protocol === '') out.push(required(`${path}.protocol`))
  else if (!['SCTP', 'TCP', 'UDP'].includes(protocol))
    out.push(notSupported(`${path}.protocol`, protocol, ['SCTP', 'TCP', 'UDP']))
  if (typeof target === 'number') {
    if (target < 1 || target > 65_535) out.push(invalid(`${path}.targetPort`, target, range))
  } else if (typeof target === 'string') {
    out.push(...portNameProblems(target).map((why) => invalid(`${path}.targetPort`, target, why)))
  }
  return out
}

const range = 'must be between 1 and 65535, inclusive'

/** An IANA service name (RFC 6335). */
export function portNameProblems(name: string): string[] {
  const out: string[] = []
  if (name.length > 15) out.push('must be no more than 15 characters')
  if (!/^[-a-z0-9]+$/.test(name)) out.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)')
  if (!/[a-z]/.test(name)) out.push('must contain at least one letter (a-z)')
  if (name.includes('--')) out.push('must not contain consecutive hyphens')
  if (name.startsWith('-') || name.endsWith('-')) out.push('must not begin or end with a hyphen')
  return out
}
