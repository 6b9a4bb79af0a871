/** Probes and lifecycle hooks: one handler each, with numbers that make sense. */
import { type FieldProblem, forbidden, invalid, notSupported, required } from '../../field-problem.ts'
import { at, listAt, numberAt, type Tree, textAt, treeAt, treesAt } from '../../tree.ts'
import { portNameProblems } from '../services/service-rules.ts'

const notNegative = 'must be greater than or equal to 0'
const range = 'must be between 1 and 65535, inclusive'

export function probeProblems(container: Tree, path: string): FieldProblem[] {
  return ['livenessProbe', 'readinessProbe', 'startupProbe'].flatMap((name) => {
    const probe = treeAt(container, name)
    return probe ? oneProbe(probe, name, `${path}.${name}`) : []
  })
}

export function hookProblems(container: Tree, path: string): FieldProblem[] {
  return ['postStart', 'preStop'].flatMap((name) => {
    const hook = treeAt(container, 'lifecycle', name)
    return hook ? handlerProblems(hook, `${path}.lifecycle.${name}`) : []
  })
}

function oneProbe(probe: Tree, name: string, path: string): FieldProblem[] {
  const out = handlerProblems(probe, path)
  for (const member of [
    'initialDelaySeconds',
    'timeoutSeconds',
    'periodSeconds',
    'successThreshold',
    'failureThreshold',
  ]) {
    const value = numberAt(probe, member) ?? 0
    if (value < 0) out.push(invalid(`${path}.${member}`, value, notNegative))
  }
  const grace = numberAt(probe, 'terminationGracePeriodSeconds')
  if (grace !== undefined && grace <= 0)
    out.push(invalid(`${path}.terminationGracePeriodSeconds`, grace, 'must be greater than 0'))
  if (name === 'readinessProbe') {
    if (grace !== undefined)
      out.push(invalid(`${path}.terminationGracePeriodSeconds`, grace, 'must not be set for readinessProbes'))
  } else if (numberAt(probe, 'successThreshold') !== 1) {
    out.push(invalid(`${path}.successThreshold`, numberAt(probe, 'successThreshold'), 'must be 1'))
  }
  return out
}

function handlerProblems(holder: Tree, path: string): FieldProblem[] {
  const found = ['exec', 'httpGet', 'tcpSocket', 'grpc', 'sleep'].filter((kind) => treeAt(holder, kind))
  const [first, ...others] = found
  if (first === undefined) return [required(path, 'must specify a handler type')]
  const handler = treeAt(holder, first) ?? {}
  return [
    ...contentProblems(first, handler, `${path}.${first}`),
    ...others.map((kind) => forbidden(`${path}.${kind}`, 'may not specify more than 1 handler type')),
  ]
}

function contentProblems(kind: string, handler: Tree, path: string): FieldProblem[] {
  if (kind === 'exec') return listAt(handler, 'command').length === 0 ? [required(`${path}.command`)] : []
  if (kind === 'sleep') return []
  const out: FieldProblem[] = []
  if (kind === 'httpGet' && !textAt(handler, 'path')) out.push(required(`${path}.path`))
  out.push(...portProblems(at(handler, 'port'), `${path}.port`))
  if (kind !== 'httpGet') return out
  const scheme = textAt(handler, 'scheme') ?? ''
  if (scheme !== 'HTTP' && scheme !== 'HTTPS') out.push(notSupported(`${path}.scheme`, scheme, ['HTTP', 'HTTPS']))
  for (const header of treesAt(handler, 'httpHeaders')) {
    const name = textAt(header, 'name') ?? ''
    if (!/^[-A-Za-z0-9]+$/.test(name))
      out.push(
        invalid(
          `${path}.httpHeaders`,
          name,
          "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')",
        ),
      )
  }
  return out
}

/** A number, or the name of one of the container's ports. */
function portProblems(port: unknown, path: string): FieldProblem[] {
  if (typeof port === 'string') return portNameProblems(port).map((why) => invalid(path, port, why))
  const number = typeof port === 'number' ? port : 0
  return number < 1 || number > 65_535 ? [invalid(path, number, range)] : []
}
