import type { Json } from '../../lib/json/value.ts'
import type { KeyFilter } from './key-filter.ts'

/** In the order in which sys/capabilities lists them. */
export const capabilityNames = ['sudo', 'read', 'list', 'update', 'delete', 'create', 'patch', 'scan'] as const
export type Capability = (typeof capabilityNames)[number]

/** One bit per capability; deny stands for itself and clears all others. */
export const bits: Readonly<Record<Capability | 'deny', number>> = {
  sudo: 1,
  read: 2,
  list: 4,
  update: 8,
  delete: 16,
  create: 32,
  patch: 64,
  scan: 128,
  deny: 256,
}

/** Lower-cased parameter name -> the values it may have; none = any value. */
export type ParameterRules = ReadonlyMap<string, readonly Json[]>

/** One `path "…" { … }`. Several rules of a policy may have the same path. */
export interface PolicyRule {
  /** Without a leading slash. A trailing `*` is a prefix, a segment `+` any one segment; `{{…}}` is filled in per identity. */
  readonly path: string
  readonly capabilities: number
  readonly allowed?: ParameterRules
  readonly denied?: ParameterRules
  readonly required: readonly string[]
  /** 0 = no limit. */
  readonly minWrapMs: number
  readonly maxWrapMs: number
  /** Largest page of a list; absent or 0 = no limit. */
  readonly pageLimit?: number
  /** Which keys of a list are shown: those that may be read (folders: listed) at the path that it makes of them. */
  readonly filter?: KeyFilter
  /** Wall clock, ms; from then on the rule is not there. */
  readonly expiresAt?: number
  /** Where it stands in the policy's text; absent for rules of a JSON document. */
  readonly line?: number
}

export interface Policy {
  readonly name: string
  readonly rules: readonly PolicyRule[]
  /** Wall clock, ms; from then on the policy is not there. */
  readonly expiresAt?: number
  /** What values of templates may hold besides: '/', or '*' and '+'. Their owners may have chosen them, so both are off unless asked for. */
  readonly allowSlashes?: boolean
  readonly allowWildcards?: boolean
}

export const isTemplated = (rule: PolicyRule) => rule.path.includes('{{')

const template = /\{\{([^{}]*)\}\}/g

export function templateNames(path: string): string[] {
  return [...path.matchAll(template)].map((match) => (match[1] ?? '').trim())
}

export function isBalanced(path: string): boolean {
  return !/\{\{|\}\}/.test(path.replace(template, ''))
}

/**
 * Undefined when a value is missing or could change what the pattern matches: a name like `*` or `a/b`, which its owner
 * may have chosen, must not widen a rule.
 */
export function fillTemplate(
  path: string,
  value: (name: string) => string | undefined,
  allow: Pick<Policy, 'allowSlashes' | 'allowWildcards'> = {},
): string | undefined {
  if (!path.includes('{{')) return path
  let complete = true
  const filled = path.replace(template, (_, name: string) => {
    const text = value(name.trim())
    if (text === undefined || text === '' || /[{}]/.test(text)) complete = false
    else if (!allow.allowSlashes && text.includes('/')) complete = false
    else if (!allow.allowWildcards && /[*+]/.test(text)) complete = false
    return text ?? ''
  })
  return complete && !filled.includes('+*') ? filled : undefined
}
