/** A rule as the text of a policy. */

import { formatGoDuration } from '../../../lib/duration.ts'
import { stringifyGo } from '../../../lib/json/stringify.ts'
import type { Permissions } from '../permissions.ts'
import { bits, capabilityNames, type ParameterRules } from '../policy.ts'

export function capabilityList(capabilities: number): string[] {
  if (capabilities & bits.deny) return ['deny']
  return capabilityNames.filter((name) => capabilities & bits[name])
}

export function renderRule(rule: Omit<Permissions, 'sources'>): string {
  const lines = [`capabilities = [${capabilityList(rule.capabilities).map(quote).join(', ')}]`]
  if (rule.required.length > 0) lines.push(`required_parameters = [${rule.required.map(quote).join(', ')}]`)
  lines.push(...parameters('allowed_parameters', rule.allowed), ...parameters('denied_parameters', rule.denied))
  if (rule.minWrapMs > 0) lines.push(`min_wrapping_ttl = ${quote(formatGoDuration(rule.minWrapMs))}`)
  if (rule.maxWrapMs > 0) lines.push(`max_wrapping_ttl = ${quote(formatGoDuration(rule.maxWrapMs))}`)
  if (rule.pageLimit > 0) lines.push(`pagination_limit = ${rule.pageLimit}`)
  if (rule.filter) lines.push(`list_scan_response_keys_filter_path = ${quote(rule.filter.text)}`)
  return `path ${quote(rule.path)} {\n${lines.map((line) => `  ${line}\n`).join('')}}\n`
}

function parameters(name: string, rules: ParameterRules | undefined): string[] {
  if (!rules) return []
  const lines = [...rules].map(([key, values]) => `  ${quote(key)} = [${values.map(stringifyGo).join(', ')}]`)
  return [`${name} = {`, ...lines, '}']
}

const quote = (text: string) => JSON.stringify(text)

/** " for at least 30s and at most 90s" */
export function wrapRange({ minMs, maxMs }: { readonly minMs: number; readonly maxMs: number }): string {
  if (maxMs > 0 && maxMs < minMs) return ', with limits that contradict each other'
  const from = minMs > 0 ? ` for at least ${minMs / 1000}s` : ''
  return maxMs > 0 ? `${from}${from === '' ? ' for' : ' and'} at most ${maxMs / 1000}s` : from
}
