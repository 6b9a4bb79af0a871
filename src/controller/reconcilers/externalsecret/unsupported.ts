import { parseGoDuration } from '../../../lib/duration.ts'
import type { ExternalSecret } from '../../crds/external-secret.ts'

/**
 * The first thing that the ExternalSecret asks for and that can't be done, in words that name the field; undefined when all can.
 * Nothing is ever ignored: a Secret that lacks what was asked for would look finished.
 */
export function refusalOf(es: ExternalSecret): string | undefined {
  const field = unsupportedField(es)
  if (field !== undefined) return `${field} is not supported by this version of Coffer`
  return contradictionIn(es)
}

function unsupportedField({ spec }: ExternalSecret): string | undefined {
  if (spec.target.template !== undefined) return 'spec.target.template'
  if (spec.target.manifest !== undefined) return 'spec.target.manifest'
  if (spec.syncWindows !== undefined) return 'spec.syncWindows'
  if (spec.secretStoreRef.kind !== 'SecretStore') return `spec.secretStoreRef.kind ${spec.secretStoreRef.kind}`
  for (const [index, item] of spec.data.entries()) {
    const found = unsupportedSource(item.sourceRef) ?? unsupportedFetch(item.remoteRef, 'remoteRef')
    if (found !== undefined) return `spec.data[${index}].${found}`
  }
  for (const [index, item] of spec.dataFrom.entries()) {
    const found =
      (item.find !== undefined ? 'find' : undefined) ??
      (item.rewrite?.length ? 'rewrite' : undefined) ??
      unsupportedSource(item.sourceRef) ??
      unsupportedFetch(item.extract, 'extract')
    if (found !== undefined) return `spec.dataFrom[${index}].${found}`
  }
  return undefined
}

type SourceRef = ExternalSecret['spec']['data'][number]['sourceRef']

function unsupportedSource(source: SourceRef): string | undefined {
  if (source?.generatorRef !== undefined) return 'sourceRef.generatorRef'
  const kind = source?.storeRef?.kind ?? 'SecretStore'
  return kind === 'SecretStore' ? undefined : `sourceRef.storeRef.kind ${kind}`
}

function unsupportedFetch(ref: { metadataPolicy: 'None' | 'Fetch' } | undefined, name: string): string | undefined {
  return ref?.metadataPolicy === 'Fetch' ? `${name}.metadataPolicy Fetch` : undefined
}

/** ESO's admission webhook says these; we have none by design, so the controller does. */
function contradictionIn({ spec }: ExternalSecret): string | undefined {
  const { creationPolicy, deletionPolicy } = spec.target
  if (parseGoDuration(spec.refreshInterval) === undefined) {
    return `spec.refreshInterval ${JSON.stringify(spec.refreshInterval)} is no duration like "1h" or "90s"`
  }
  if (deletionPolicy === 'Delete' && creationPolicy !== 'Owner' && creationPolicy !== 'Orphan') {
    return "deletionPolicy=Delete must not be used when the controller doesn't own the secret. Please set creationPolicy=Owner"
  }
  if (deletionPolicy === 'Merge' && creationPolicy === 'None') {
    return 'deletionPolicy=Merge must not be used with creationPolicy=None. There is no Secret to merge with'
  }
  if (spec.dataFrom.some((item) => !item.extract && !item.sourceRef)) {
    return 'either extract, find, or sourceRef must be set to dataFrom'
  }
  if (spec.dataFrom.some((item) => !item.extract)) {
    return 'generatorRef or storeRef must be set when using sourceRef in dataFrom'
  }
  return duplicateKey(spec)
}

function duplicateKey(spec: ExternalSecret['spec']): string | undefined {
  if (spec.target.deletionPolicy !== 'Retain') return undefined
  const keys = spec.data.map((item) => item.secretKey)
  const twice = keys.find((key, index) => keys.indexOf(key) !== index)
  return twice === undefined ? undefined : `duplicate secretKey found: ${twice}`
}
