import { closest } from '../../lib/closest.ts'

/** What the field knows; Coffer keeps the prefix so that manifests work as they are. */
export const prefix = 'vault.hashicorp.com/'

/** Annotations with a fixed name. */
export const names = [
  'agent-inject',
  'agent-inject-status',
  'agent-inject-containers',
  'agent-inject-default-template',
  'agent-inject-token',
  'agent-pre-populate',
  'agent-pre-populate-only',
  'agent-init-first',
  'agent-image',
  'agent-configmap',
  'agent-extra-secret',
  'agent-copy-volume-mounts',
  'agent-service-account-token-volume-name',
  'agent-limits-cpu',
  'agent-limits-mem',
  'agent-limits-ephemeral',
  'agent-requests-cpu',
  'agent-requests-mem',
  'agent-requests-ephemeral',
  'agent-run-as-user',
  'agent-run-as-group',
  'agent-run-as-same-user',
  'agent-set-security-context',
  'agent-share-process-namespace',
  'agent-revoke-on-shutdown',
  'agent-revoke-grace',
  'agent-cache-enable',
  'agent-cache-listener-port',
  'agent-cache-use-auto-auth-token',
  'agent-cache-exit-on-err',
  'agent-enable-quit',
  'agent-auto-auth-exit-on-err',
  'agent-disable-idle-connections',
  'agent-disable-keep-alives',
  'agent-json-patch',
  'agent-init-json-patch',
  'agent-request-namespace',
  'role',
  'auth-path',
  'auth-type',
  'auth-min-backoff',
  'auth-max-backoff',
  'service',
  'namespace',
  'ca-cert',
  'ca-key',
  'client-cert',
  'client-key',
  'client-timeout',
  'client-max-retries',
  'go-max-procs',
  'tls-secret',
  'tls-server-name',
  'tls-skip-verify',
  'proxy-address',
  'log-level',
  'log-format',
  'secret-volume-path',
  'preserve-secret-case',
  'error-on-missing-key',
  'template-config-exit-on-retry-failure',
  'template-static-secret-render-interval',
  'template-max-connections-per-host',
  'template-lease-renewal-threshold',
] as const
export type AnnotationName = (typeof names)[number]

/** Annotations whose name ends with the name of a secret or of a setting. */
export const families = [
  'agent-inject-secret-',
  'agent-inject-template-file-',
  'agent-inject-template-',
  'agent-inject-file-',
  'agent-inject-perms-',
  'agent-inject-command-',
  'agent-template-left-delim-',
  'agent-template-right-delim-',
  'error-on-missing-key-',
  'secret-volume-path-',
  'preserve-secret-case-',
  'auth-config-',
  'agent-telemetry-',
] as const
export type AnnotationFamily = (typeof families)[number]

/** Known to the field, not to Coffer yet: a pod that asks for one is denied rather than run without it. */
const unsupported = ['agent-native-sidecar']

/** The annotations below our prefix, without it. */
export class Annotations {
  readonly #values: ReadonlyMap<string, string>

  constructor(all: Readonly<Record<string, string>>) {
    this.#values = new Map(
      Object.entries(all)
        .filter(([name]) => name.startsWith(prefix))
        .map(([name, value]) => [name.slice(prefix.length), value]),
    )
  }

  get(name: AnnotationName): string | undefined {
    return this.#values.get(name)
  }

  /** What follows the family's name -> value, in the order of the manifest. */
  family(family: AnnotationFamily): ReadonlyMap<string, string> {
    const found = [...this.#values].filter(([name]) => familyOf(name) === family)
    return new Map(found.map(([name, value]) => [name.slice(family.length), value]))
  }

  member(family: AnnotationFamily, name: string): string | undefined {
    return this.#values.get(family + name)
  }

  unsupported(): string[] {
    return unsupported.filter((name) => !['', 'false', 'f', '0'].includes((this.#values.get(name) ?? '').toLowerCase()))
  }

  /** Names that nobody reads, which most often are mistyped; with what was probably meant. */
  unknown(): { name: string; meant: string | undefined }[] {
    return [...this.#values.keys()]
      .filter((name) => !isFixed(name) && !familyOf(name) && !unsupported.includes(name))
      .map((name) => ({ name, meant: meantBy(name) }))
  }
}

const isFixed = (name: string) => (names as readonly string[]).includes(name)

/** "agent-inject-template-file-x" belongs to the longer family. */
const familyOf = (name: string): AnnotationFamily | undefined =>
  isFixed(name) ? undefined : families.find((family) => name.startsWith(family) && name.length > family.length)

/** Of a family the suffix is the user's own: only the words before it are compared. */
function meantBy(name: string): string | undefined {
  const words = name.split('-')
  const inFamilies = families
    .map((family) => family + words.slice(family.split('-').length - 1).join('-'))
    .filter((candidate) => !candidate.endsWith('-'))
  return closest(name, [...names, ...inFamilies])
}
