import type { FunctionTable, GoFunction, Value } from '../../gotemplate/value.ts'
import type { Clock } from '../../lib/clock.ts'
import { encodingFunctions } from './encoding.ts'
import { environmentFunctions } from './environment.ts'
import { mathFunctions } from './math.ts'
import { stringFunctions } from './strings.ts'

/** What templates ask the server for. Undefined: not fetched yet. */
export interface SecretLookup {
  secret(path: string, parameters: readonly string[]): Value
  secrets(path: string): Value
}

export function agentFunctions(o: {
  lookup: SecretLookup
  env: Readonly<Record<string, string | undefined>>
  clock: Pick<Clock, 'now'>
}): FunctionTable {
  const secretFunctions: Readonly<Record<string, GoFunction>> = {
    secret: {
      params: [],
      rest: 'string',
      call: (path, ...parameters) => (path ? o.lookup.secret(String(path), parameters.map(String)) : undefined),
    },
    secrets: { params: ['string'], call: (path) => (path === '' ? [] : o.lookup.secrets(String(path))) },
  }
  return new Map(
    Object.entries({
      ...stringFunctions,
      ...encodingFunctions,
      ...mathFunctions,
      ...environmentFunctions(o.env, o.clock),
      ...secretFunctions,
    }),
  )
}

const elsewhere = new Set([
  'byKey',
  'byMeta',
  'byPort',
  'byTag',
  'caLeaf',
  'caRoots',
  'connect',
  'datacenters',
  'executeTemplate',
  'explode',
  'explodeMap',
  'exportedServices',
  'file',
  'key',
  'keyExists',
  'keyExistsGet',
  'keyOrDefault',
  'ls',
  'mergeMap',
  'mergeMapWithOverride',
  'node',
  'nodes',
  'nomadService',
  'nomadServices',
  'nomadVar',
  'nomadVarExists',
  'nomadVarList',
  'nomadVarListSafe',
  'parseYAML',
  'partitions',
  'peerings',
  'pkiCert',
  'pkiCertWithPrivateKey',
  'plugin',
  'regexMatch',
  'regexReplaceAll',
  'safeLs',
  'safeTree',
  'scratch',
  'service',
  'services',
  'sockaddr',
  'spew_dump',
  'spew_printf',
  'spew_sdump',
  'spew_sprintf',
  'toTOML',
  'tree',
  'writeToFile',
])

/** Whether consul-template has that function and this agent doesn't. */
export const isKnownElsewhere = (name: string): boolean => elsewhere.has(name) || name.startsWith('sprig_')
