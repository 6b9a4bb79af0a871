/** Pod annotations and the injector's defaults -> InjectionSpec, or the Denial that the field's injector would give. */
import { Annotations, prefix } from '../annotations/known.ts'
import { Denial, during, goDuration } from '../annotations/values.ts'
import type { InjectorDefaults } from '../defaults.ts'
import { type JsonPatchOperation, parseJsonPatch } from '../patch/json-patch.ts'
import type { PodView } from '../pod.ts'
import type { InjectionSpec } from '../spec.ts'
import {
  commaList,
  flag,
  readAuth,
  readCache,
  readEnvironment,
  readPort,
  readResources,
  readRevoke,
  readServer,
  readTelemetry,
  readTemplating,
} from './agent-settings.ts'
import {
  readContainers,
  readCopiedMounts,
  readSecurity,
  readShareProcessNamespace,
  readTokenMount,
} from './pod-parts.ts'
import { readDefaultTemplate, readSecrets } from './secrets.ts'

export function readInjection(pod: PodView, defaults: InjectorDefaults): InjectionSpec {
  const annotations = new Annotations(pod.annotations)
  refuseUnsupported(annotations)
  const patches = during('error adding default annotations', undefined, () => checkFirst(annotations, defaults))
  const spec = during('error creating new agent sidecar', undefined, () => readAgent(annotations, pod, defaults))
  during('error validating agent configuration', undefined, () => validate(spec))
  return { ...spec, ...patches }
}

function refuseUnsupported(annotations: Annotations): void {
  const [name] = annotations.unsupported()
  if (name) throw new Denial(`${prefix}${name} is not implemented by this injector: remove the annotation`)
}

function checkFirst(
  annotations: Annotations,
  defaults: InjectorDefaults,
): Pick<InjectionSpec, 'sidecarPatch' | 'initPatch'> {
  if (!(annotations.get('service') ?? defaults.address)) throw new Denial('address for Vault required')
  if (!(annotations.get('auth-path') ?? defaults.authPath)) throw new Denial('Vault Auth Path required')
  for (const name of ['auth-min-backoff', 'auth-max-backoff'] as const) {
    during('', name, () => goDuration(annotations.get(name) ?? ''))
  }
  return {
    sidecarPatch: readPatch(annotations, 'agent-json-patch'),
    initPatch: readPatch(annotations, 'agent-init-json-patch'),
  }
}

function readPatch(
  annotations: Annotations,
  name: 'agent-json-patch' | 'agent-init-json-patch',
): readonly JsonPatchOperation[] {
  const text = annotations.get(name)
  if (!text) return []
  return during(`error parsing JSON patch for annotation ${prefix}${name}`, name, () => parseJsonPatch(text))
}

function readAgent(
  annotations: Annotations,
  pod: PodView,
  defaults: InjectorDefaults,
): Omit<InjectionSpec, 'sidecarPatch' | 'initPatch'> {
  const tokenMount = readTokenMount(annotations, pod)
  const only = flag(annotations, 'agent-pre-populate-only', false)
  const init = only || flag(annotations, 'agent-pre-populate', true)
  const secretsPath = annotations.get('secret-volume-path') ?? '/vault/secrets'
  return {
    image: annotations.get('agent-image') ?? defaults.image,
    init,
    sidecar: !only,
    initFirst: flag(annotations, 'agent-init-first', false),
    auth: readAuth(annotations, defaults, tokenMount),
    server: readServer(annotations, defaults),
    secrets: readSecrets(annotations, readDefaultTemplate(annotations, defaults.template), secretsPath),
    secretsPath,
    containers: readContainers(annotations, pod),
    tokenMount,
    injectToken: flag(annotations, 'agent-inject-token', false),
    volumes: {
      configMap: annotations.get('agent-configmap') ?? '',
      extraSecret: annotations.get('agent-extra-secret') ?? '',
      tlsSecret: annotations.get('tls-secret') ?? '',
      copied: readCopiedMounts(annotations, pod),
    },
    environment: readEnvironment(annotations, defaults),
    security: readSecurity(annotations, pod, defaults),
    resources: readResources(annotations, defaults),
    shareProcessNamespace: readShareProcessNamespace(annotations, pod),
    revoke: readRevoke(annotations, defaults),
    cache: only ? undefined : readCache(annotations, init),
    enableQuit: flag(annotations, 'agent-enable-quit', false),
    listenerPort: readPort(annotations),
    templating: readTemplating(annotations, defaults),
    telemetry: readTelemetry(annotations),
    disableIdleConnections: commaList(
      annotations.get('agent-disable-idle-connections') ?? defaults.disableIdleConnections,
    ),
    disableKeepAlives: commaList(annotations.get('agent-disable-keep-alives') ?? defaults.disableKeepAlives),
  }
}

function validate(spec: Pick<InjectionSpec, 'image' | 'auth' | 'server' | 'volumes'>): void {
  if (!spec.image) throw new Denial('no Vault image found')
  // A config map brings its own login.
  if (spec.volumes.configMap === '') {
    if (!spec.auth.type) throw new Denial('no Vault Auth Type found')
    if (spec.auth.type === 'kubernetes' && !spec.auth.config['role']) {
      throw new Denial('no Vault role found', 'role')
    }
    if (!spec.auth.path) throw new Denial('no Vault Auth Path found')
    if (!spec.server.address) throw new Denial('no Vault address found')
  }
}
