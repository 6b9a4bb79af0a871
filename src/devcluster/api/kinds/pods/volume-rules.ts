/** Volumes of pods: one source each, with what the source needs. */
import { duplicate, type FieldProblem, forbidden, invalid, required } from '../../field-problem.ts'
import { numberAt, type Tree, textAt, treeAt, treesAt } from '../../tree.ts'
import { dnsLabelProblem } from '../names.ts'
import { fieldRefProblems } from './field-ref-rules.ts'

export function volumeProblems(spec: unknown, path: string): FieldProblem[] {
  const seen = new Set<string>()
  return treesAt(spec, 'volumes').flatMap((volume, index) => {
    const at = `${path}.volumes[${index}]`
    const name = textAt(volume, 'name') ?? ''
    const out: FieldProblem[] = []
    if (name === '') out.push(required(`${at}.name`))
    else {
      const problem = dnsLabelProblem(name)
      if (problem) out.push(invalid(`${at}.name`, name, problem))
      if (seen.has(name)) out.push(duplicate(`${at}.name`, name))
    }
    seen.add(name)
    const sources = Object.keys(volume).filter((member) => member !== 'name')
    if (sources.length > 1)
      for (const extra of sources.slice(1))
        out.push(forbidden(`${at}.${extra}`, 'may not specify more than 1 volume type'))
    return [...out, ...volumeSourceProblems(volume, at)]
  })
}

function volumeSourceProblems(volume: Tree, at: string): FieldProblem[] {
  const out: FieldProblem[] = []
  const secret = treeAt(volume, 'secret')
  const configMap = treeAt(volume, 'configMap')
  const projected = treeAt(volume, 'projected')
  const downward = treeAt(volume, 'downwardAPI')
  if (secret) {
    if (!textAt(secret, 'secretName')) out.push(required(`${at}.secret.secretName`))
    out.push(...modeProblems(secret, 'defaultMode', `${at}.secret`), ...itemProblems(secret, `${at}.secret`))
  }
  if (configMap) {
    if (!textAt(configMap, 'name')) out.push(required(`${at}.configMap.name`))
    out.push(
      ...modeProblems(configMap, 'defaultMode', `${at}.configMap`),
      ...itemProblems(configMap, `${at}.configMap`),
    )
  }
  if (downward) {
    out.push(...modeProblems(downward, 'defaultMode', `${at}.downwardAPI`))
    for (const file of treesAt(downward, 'items')) out.push(...downwardProblems(file, `${at}.downwardAPI`))
  }
  if (treeAt(volume, 'hostPath') && !textAt(volume, 'hostPath', 'path')) out.push(required(`${at}.hostPath.path`))
  if (projected) {
    out.push(...modeProblems(projected, 'defaultMode', `${at}.projected`))
    out.push(...projectionProblems(projected, `${at}.projected`))
  }
  return out
}

function projectionProblems(projected: Tree, at: string): FieldProblem[] {
  const out = treesAt(projected, 'sources').flatMap((source, index) => sourceProblems(source, at, index))
  const taken = new Set<string>()
  for (const { path, shown } of treesAt(projected, 'sources').flatMap(pathsOf)) {
    if (path !== '' && taken.has(path)) out.push(invalid(at, shown, 'conflicting duplicate paths'))
    taken.add(path)
  }
  return out
}

function sourceProblems(source: Tree, at: string, index: number): FieldProblem[] {
  const of = `${at}.sources[${index}]`
  const out = ['secret', 'configMap'].flatMap((member) => {
    const tree = treeAt(source, member)
    if (!tree) return []
    const unnamed = textAt(tree, 'name') ? [] : [required(`${of}.${member}.name`)]
    return [...unnamed, ...itemProblems(tree, `${of}.${member}`)]
  })
  for (const file of treesAt(source, 'downwardAPI', 'items')) out.push(...downwardProblems(file, `${of}.downwardAPI`))
  const token = treeAt(source, 'serviceAccountToken')
  // The API server names the volume's path, not the token's.
  if (token) out.push(...tokenProblems(token, `${of}.serviceAccountToken`, `${at}.path`))
  if (Object.keys(source).length > 1) out.push(forbidden(of, 'may not specify more than 1 volume type per source'))
  return out
}

/** The files that a source says it makes, and by which word a clash is told. */
function pathsOf(source: Tree): { readonly path: string; readonly shown: string }[] {
  const path = (item: Tree) => textAt(item, 'path') ?? ''
  return [
    ...['secret', 'configMap'].flatMap((member) =>
      treesAt(source, member, 'items').map((item) => ({
        path: path(item),
        shown: textAt(source, member, 'name') ?? '',
      })),
    ),
    ...treesAt(source, 'downwardAPI', 'items').map((file) => ({ path: path(file), shown: path(file) })),
  ]
}

function tokenProblems(token: Tree, at: string, pathField: string): FieldProblem[] {
  const seconds = numberAt(token, 'expirationSeconds') ?? 3600
  const field = `${at}.expirationSeconds`
  const path = textAt(token, 'path') ?? ''
  return [
    ...(seconds < 600 ? [invalid(field, seconds, 'may not specify a duration less than 10 minutes')] : []),
    ...(seconds > 2 ** 32 ? [invalid(field, seconds, 'may not specify a duration larger than 2^32 seconds')] : []),
    ...(path === '' ? [required(pathField)] : localPathProblems(path, pathField)),
  ]
}

function downwardProblems(file: Tree, at: string): FieldProblem[] {
  const field = treeAt(file, 'fieldRef')
  const path = textAt(file, 'path') ?? ''
  return [
    ...(path === '' ? [required(`${at}.path`)] : []),
    ...localPathProblems(path, `${at}.path`),
    ...(field ? fieldRefProblems(field, `${at}.fieldRef`, 'volume') : []),
    ...(field || treeAt(file, 'resourceFieldRef')
      ? []
      : [required(at, 'one of fieldRef and resourceFieldRef is required')]),
    ...modeProblems(file, 'mode', at),
  ]
}

function itemProblems(source: Tree, at: string): FieldProblem[] {
  return treesAt(source, 'items').flatMap((item, index) => {
    const of = `${at}.items[${index}]`
    const path = textAt(item, 'path') ?? ''
    return [
      ...(textAt(item, 'key') ? [] : [required(`${of}.key`)]),
      ...(path === '' ? [required(`${of}.path`)] : []),
      ...localPathProblems(path, `${of}.path`),
      ...modeProblems(item, 'mode', of),
    ]
  })
}

function modeProblems(source: Tree, member: string, at: string): FieldProblem[] {
  const mode = numberAt(source, member)
  if (mode === undefined || (mode >= 0 && mode <= 0o777)) return []
  return [invalid(`${at}.${member}`, mode, 'must be a number between 0 and 0777 (octal), both inclusive')]
}

/** A path below the volume that is none of the kubelet's own ("..data"). */
function localPathProblems(path: string, field: string): FieldProblem[] {
  const out: FieldProblem[] = []
  if (path.startsWith('/')) out.push(invalid(field, path, 'must be a relative path'))
  if (path.split('/').includes('..')) out.push(invalid(field, path, "must not contain '..'"))
  if (path.startsWith('..') && !path.startsWith('../')) out.push(invalid(field, path, "must not start with '..'"))
  return out
}
