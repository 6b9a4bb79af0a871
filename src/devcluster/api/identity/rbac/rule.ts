/** One rule of a role, and what it allows (k8s.io/kubernetes/pkg/apis/rbac/v1 evaluation helpers). */
import { type Tree, textsAt, treesAt } from '../../tree.ts'

export interface Rule {
  readonly verbs: readonly string[]
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly resourceNames: readonly string[]
  readonly nonResourceURLs: readonly string[]
}

/** What somebody wants to do. An absent namespace, name or subresource may also be empty. */
export type Access = ResourceAccess | PathAccess

export interface ResourceAccess {
  readonly verb: string
  readonly group: string
  readonly resource: string
  readonly subresource: string | undefined
  readonly namespace: string | undefined
  readonly name: string | undefined
}

export interface PathAccess {
  readonly verb: string
  readonly path: string
}

export function readRules(role: Tree): readonly Rule[] {
  return treesAt(role, 'rules').map((rule) => ({
    verbs: textsAt(rule, 'verbs'),
    apiGroups: textsAt(rule, 'apiGroups'),
    resources: textsAt(rule, 'resources'),
    resourceNames: textsAt(rule, 'resourceNames'),
    nonResourceURLs: textsAt(rule, 'nonResourceURLs'),
  }))
}

export function ruleAllows(rule: Rule, access: Access): boolean {
  if (!holds(rule.verbs, access.verb)) return false
  if ('path' in access) return rule.nonResourceURLs.some((url) => coversPath(url, access.path))
  return (
    holds(rule.apiGroups, access.group) &&
    allowsResource(rule.resources, access) &&
    (rule.resourceNames.length === 0 || rule.resourceNames.includes(access.name ?? ''))
  )
}

export function holds(list: readonly string[], value: string): boolean {
  return list.includes('*') || list.includes(value)
}

/** `*` at the end stands for anything. */
export function coversPath(pattern: string, path: string): boolean {
  if (pattern === path) return true
  return pattern.endsWith('*') && path.startsWith(pattern.replace(/\*+$/, ''))
}

/** "pods" does not allow "pods/log"; "*" does, and "* /log" without the space. */
function allowsResource(resources: readonly string[], { resource, subresource }: ResourceAccess): boolean {
  if (!subresource) return holds(resources, resource)
  return holds(resources, `${resource}/${subresource}`) || resources.includes(`*/${subresource}`)
}
