import { ProviderError } from '../../../providers/provider.ts'

export type ConversionStrategy = 'Default' | 'Unicode'

/** A store's member names as keys of a Secret: what Kubernetes forbids is replaced; empty names are left out. */
export function convertKeys(
  strategy: ConversionStrategy,
  values: ReadonlyMap<string, Uint8Array>,
): Map<string, Uint8Array> {
  const converted = new Map<string, Uint8Array>()
  for (const [name, value] of values) {
    const key = [...name].map((char) => (/^[-._a-zA-Z0-9]$/.test(char) ? char : substitute(strategy, char))).join('')
    if (converted.has(key)) throw new ProviderError('failed', `secret name collision during conversion: ${key}`)
    converted.set(key, value)
  }
  return checkedKeys(converted)
}

function substitute(strategy: ConversionStrategy, char: string): string {
  if (strategy === 'Default') return '_'
  return `_U${(char.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}_`
}

function checkedKeys(values: Map<string, Uint8Array>): Map<string, Uint8Array> {
  values.delete('')
  for (const key of values.keys()) {
    if (key.length > 253) {
      throw new ProviderError(
        'failed',
        `key has length ${key.length} but max is 253: (following is truncated): ${key.slice(0, 253)}`,
      )
    }
  }
  return values
}
