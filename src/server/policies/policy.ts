import type { Json } from '../../lib/json/value.ts'

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
}

export interface Policy {
  readonly name: string
  readonly rules: readonly PolicyRule[]
}

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
export function fillTemplate(path: string, value: (name: string) => string | undefined): string | undefined {
  let complete = true
  const filled = path.replace(template, (_, name: string) => {
    const text = value(name.trim())
    if (text === undefined || text === '' || /[/*+{}]/.test(text)) complete = false
    return text ?? ''
  })
  return complete ? filled : undefined
}
