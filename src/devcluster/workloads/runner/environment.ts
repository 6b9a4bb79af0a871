/** A container's environment, command and arguments, as the kubelet makes them. */
import type { Container, EnvVarSource } from 'kubernetes-types/core/v1.d.ts'
import type { ConfigMap, Pod, Secret } from '../../../kube/object-types.ts'
import { ConfigProblem } from './config-problem.ts'
import { fieldValue, type HostFacts } from './field-ref.ts'

export interface EnvironmentSources {
  readonly pod: Pod
  readonly host: HostFacts
  secret(name: string): Promise<Secret | undefined>
  configMap(name: string): Promise<ConfigMap | undefined>
}

export const isShellName = (name: string) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(name)

/**
 * `base` holds what the image and the runner set. Throws ConfigProblem on what is missing. Names from envFrom that a
 * shell could not hold are left out, as the kubelet did for long.
 */
export async function resolveEnvironment(
  container: Container,
  base: Readonly<Record<string, string>>,
  sources: EnvironmentSources,
): Promise<Record<string, string>> {
  const result: Record<string, string> = { ...base }
  for (const from of container.envFrom ?? []) {
    const prefix = from.prefix ?? ''
    for (const [name, value] of Object.entries(await envFrom(from, sources))) {
      if (isShellName(prefix + name)) result[prefix + name] = value
    }
  }
  // Each may use those before it, and what envFrom and the image set.
  for (const { name, value, valueFrom } of container.env ?? []) {
    if (!isShellName(name)) throw new ConfigProblem(`the pod runner cannot set an environment variable named ${name}`)
    const found = valueFrom ? await envSource(valueFrom, sources) : expand(value ?? '', result)
    if (found !== undefined) result[name] = found
  }
  return result
}

type EnvFrom = NonNullable<Container['envFrom']>[number]

async function envFrom(from: EnvFrom, sources: EnvironmentSources): Promise<Record<string, string>> {
  if (from.secretRef) {
    const { name = '', optional } = from.secretRef
    const secret = await sources.secret(name)
    if (!secret && !optional) throw new ConfigProblem(`secret "${name}" not found`)
    return Object.fromEntries(Object.entries(secret?.data ?? {}).map(([key, value]) => [key, decode(value)]))
  }
  const { name = '', optional } = from.configMapRef ?? {}
  const configMap = await sources.configMap(name)
  if (!configMap && !optional) throw new ConfigProblem(`configmap "${name}" not found`)
  return configMap?.data ?? {}
}

/** Undefined: optional and absent, so the variable is not set. */
async function envSource(source: EnvVarSource, sources: EnvironmentSources): Promise<string | undefined> {
  if (source.fieldRef) return fieldValue(sources.pod, source.fieldRef.fieldPath, sources.host)
  if (source.secretKeyRef) {
    const { name = '', key, optional } = source.secretKeyRef
    const secret = await sources.secret(name)
    const value = secret?.data?.[key]
    if (value !== undefined) return decode(value)
    return missing('secret', 'Secret', { name, key, optional, found: secret !== undefined }, sources.pod)
  }
  if (source.configMapKeyRef) {
    const { name = '', key, optional } = source.configMapKeyRef
    const configMap = await sources.configMap(name)
    const value = configMap?.data?.[key]
    if (value !== undefined) return value
    return missing('configmap', 'ConfigMap', { name, key, optional, found: configMap !== undefined }, sources.pod)
  }
  throw new ConfigProblem(`the pod runner does not support env valueFrom.${Object.keys(source).join(', ')}`)
}

/** The kubelet's words. */
function missing(
  noun: string,
  kind: string,
  ref: { name: string; key: string; optional?: boolean; found: boolean },
  pod: Pod,
): undefined {
  if (ref.optional) return undefined
  if (!ref.found) throw new ConfigProblem(`${noun} "${ref.name}" not found`)
  throw new ConfigProblem(`couldn't find key ${ref.key} in ${kind} ${pod.metadata.namespace}/${ref.name}`)
}

const decode = (base64: string) => Buffer.from(base64, 'base64').toString('utf8')

/** `$(NAME)` becomes the variable, an unknown one stays; `$$` becomes `$` (k8s.io/kubernetes/third_party/forked/golang/expansion). */
export function expand(text: string, variables: Readonly<Record<string, string>>): string {
  let out = ''
  for (let i = 0; i < text.length; i++) {
    const char = text.charAt(i)
    const next = text.charAt(i + 1)
    const end = char === '$' && next === '(' ? text.indexOf(')', i + 2) : -1
    if (char === '$' && next === '$') {
      out += '$'
      i += 1
    } else if (end >= 0) {
      const name = text.slice(i + 2, end)
      out += Object.hasOwn(variables, name) ? variables[name] : `$(${name})`
      i = end
    } else {
      out += char
    }
  }
  return out
}

/** What runs: the container's command or else the image's, with the arguments that belong to it. */
export function commandLine(
  container: Container,
  image: { readonly command: readonly string[]; readonly args: readonly string[] },
  variables: Readonly<Record<string, string>>,
): string[] {
  const own = container.command?.length ? container.command : undefined
  const command = own ?? image.command
  const args = container.args?.length ? container.args : own ? [] : image.args
  return [...command, ...args].map((word) => expand(word, variables))
}
