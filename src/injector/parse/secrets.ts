import { posix } from 'node:path'
import type { Annotations } from '../annotations/known.ts'
import { Denial, during, goBool } from '../annotations/values.ts'
import type { SecretSpec } from '../spec.ts'

/** The files that the annotations ask for, by name: one for each secret, template or template file that is not blank. */
export function readSecrets(annotations: Annotations, defaultTemplate: string, secretsPath: string): SecretSpec[] {
  const asked = (['agent-inject-secret-', 'agent-inject-template-', 'agent-inject-template-file-'] as const).flatMap(
    (family) => [...annotations.family(family)].filter(([, value]) => value.trim() !== '').map(([name]) => name),
  )
  return [...new Set(asked)].sort().map((name) => readSecret(annotations, name, { defaultTemplate, secretsPath }))
}

function readSecret(
  annotations: Annotations,
  rawName: string,
  given: { defaultTemplate: string; secretsPath: string },
): SecretSpec {
  const path = annotations.member('agent-inject-secret-', rawName) ?? ''
  const template = blankIsAbsent(annotations.member('agent-inject-template-', rawName))
  const source = template === undefined ? (annotations.member('agent-inject-template-file-', rawName) ?? '') : ''
  const mountPath = annotations.member('secret-volume-path-', rawName) ?? given.secretsPath
  const name = keepsCase(annotations, rawName) ? rawName : rawName.toLowerCase()
  const file = annotations.member('agent-inject-file-', rawName)
  return {
    name,
    mountPath,
    destination: file ? posix.join(mountPath, file) : `${mountPath}/${name}`,
    contents: template ?? (source ? '' : templateFor(given.defaultTemplate, path)),
    source,
    left: annotations.member('agent-template-left-delim-', rawName) ?? '{{',
    right: annotations.member('agent-template-right-delim-', rawName) ?? '}}',
    command: annotations.member('agent-inject-command-', rawName) ?? '',
    perms: annotations.member('agent-inject-perms-', rawName) ?? '',
    errorOnMissingKey: errorOnMissingKey(annotations, rawName),
  }
}

/** "map" or "json", in any case; anything else is refused. */
export function readDefaultTemplate(annotations: Annotations, standard: string): string {
  const kind = (annotations.get('agent-inject-default-template') ?? standard).toLowerCase()
  if (kind !== 'map' && kind !== 'json') throw new Denial(`invalid default template type: ${kind}`)
  return kind
}

/** Byte for byte what the field's own injector writes: manifests rely on what it renders. */
function templateFor(kind: string, path: string): string {
  const body = kind === 'json' ? '{{ .Data | toJSON }}\n' : '{{ range $k, $v := .Data }}{{ $k }}: {{ $v }}\n{{ end }}'
  return `{{ with secret "${path}" }}${body}{{ end }}`
}

/** A value that is no bool counts as false here, as it does in the field's injector. */
function keepsCase(annotations: Annotations, rawName: string): boolean {
  const text = annotations.member('preserve-secret-case-', rawName) ?? annotations.get('preserve-secret-case') ?? ''
  try {
    return goBool(text)
  } catch {
    return false
  }
}

function errorOnMissingKey(annotations: Annotations, rawName: string): boolean {
  const own = annotations.member('error-on-missing-key-', rawName)
  const text = own ?? annotations.get('error-on-missing-key') ?? ''
  return during('', own === undefined ? 'error-on-missing-key' : `error-on-missing-key-${rawName}`, () => goBool(text))
}

const blankIsAbsent = (text: string | undefined) => (text === undefined || text.trim() === '' ? undefined : text)
