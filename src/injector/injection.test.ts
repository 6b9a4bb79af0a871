import { describe, expect, it } from 'vitest'
import { standardDefaults } from './defaults.ts'
import { applyJsonPatch, type JsonPatchOperation } from './patch/json-patch.ts'
import { admit } from './webhook.ts'

const defaults = { ...standardDefaults, address: 'https://vault:8200', image: 'coffer:1' }
const tokenMount = { name: 'kube-api-access', mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' }
const volume = { name: 'kube-api-access', projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } }

const podWith = (annotations: Record<string, string>, spec: object = {}) => ({
  metadata: {
    namespace: 'default',
    annotations: Object.fromEntries(
      Object.entries({
        'agent-inject': 'true',
        role: 'r',
        'agent-inject-secret-a': 'secret/data/a',
        ...annotations,
      }).map(([name, value]) => [`vault.hashicorp.com/${name}`, value]),
    ),
  },
  spec: { containers: [{ name: 'app', image: 'app', volumeMounts: [tokenMount] }], volumes: [volume], ...spec },
})
const inject = (annotations: Record<string, string>, spec?: object): any => {
  const pod = podWith(annotations, spec)
  const verdict = admit({ object: pod, namespace: 'default' }, defaults)
  const patched = verdict.patch ? applyJsonPatch(pod, verdict.patch as readonly JsonPatchOperation[]) : undefined
  return { ...verdict, pod: patched }
}

const sidecar = (pod: { spec: { containers: { name: string }[] } }) =>
  pod.spec.containers.find(({ name }) => name === 'vault-agent') as any
const config = (pod: Parameters<typeof sidecar>[0]) => {
  const { value } = sidecar(pod).env.find((one: { name: string }) => one.name === 'VAULT_CONFIG')
  return JSON.parse(Buffer.from(value, 'base64').toString())
}

describe('injection', () => {
  it('asks nothing of pods without the annotation and refuses what is no pod', () => {
    expect(admit({ object: { metadata: {}, spec: { containers: [] } }, namespace: 'default' }, defaults)).toEqual({
      allowed: true,
    })
    expect(admit({ object: 'x', namespace: 'default' }, defaults).allowed).toBe(false)
  })

  it('leaves a pod whose containers each name a seccomp profile within Pod Security "restricted", others as they are', () => {
    const containers = (profile: object) => [{ name: 'app', image: 'app', volumeMounts: [tokenMount], ...profile }]
    const seccompProfile = { type: 'RuntimeDefault' }
    const own = containers({ securityContext: { seccompProfile } })
    expect(sidecar(inject({}, { containers: own }).pod).securityContext).toMatchObject({ seccompProfile })
    const pods = [{ containers: containers({}) }, { containers: own, securityContext: { seccompProfile } }]
    for (const spec of pods) expect(sidecar(inject({}, spec).pod).securityContext).not.toHaveProperty('seccompProfile')
  })

  it('refuses system namespaces by the namespace of the request', () => {
    const verdict = admit({ object: podWith({}), namespace: 'kube-public' }, defaults)
    expect(verdict).toMatchObject({ allowed: false, message: expect.stringContaining('kube-public') })
  })

  it('creates the lists of volumes, mounts and init containers that a pod lacks', () => {
    const { pod } = inject(
      {},
      { containers: [{ name: 'app', volumeMounts: [tokenMount] }, { name: 'bare' }], volumes: [], initContainers: [] },
    )
    expect(pod.spec.containers[1].volumeMounts).toEqual([{ name: 'vault-secrets', mountPath: '/vault/secrets' }])
    expect(pod.spec.volumes.map((one: { name: string }) => one.name)).toEqual([
      'home-init',
      'home-sidecar',
      'vault-secrets',
    ])
    expect(pod.spec.initContainers.map((one: { name: string }) => one.name)).toEqual(['vault-agent-init'])
  })

  it('prefers the service account token of Kubernetes to those of clouds', () => {
    const cloud = { name: 'irsa', mountPath: '/var/run/secrets/eks.amazonaws.com/serviceaccount' }
    const { pod } = inject({}, { containers: [{ name: 'app', volumeMounts: [cloud, tokenMount] }] })
    expect(config(pod).auto_auth.method.config.token_path).toBe('/var/run/secrets/kubernetes.io/serviceaccount/token')
  })

  it('gives each other mount path a volume of its own', () => {
    const { pod } = inject({ 'secret-volume-path-a': '/etc/app', 'agent-inject-secret-b': 'secret/data/b' })
    expect(pod.spec.containers[0].volumeMounts.slice(1)).toEqual([
      { name: 'vault-secrets', mountPath: '/vault/secrets' },
      { name: 'vault-secrets-custom-0', mountPath: '/etc/app' },
    ])
    expect(config(pod).template.map((one: { destination: string }) => one.destination)).toEqual([
      '/etc/app/a',
      '/vault/secrets/b',
    ])
  })

  it('passes the CA on as VAULT_CACERT_BYTES', () => {
    const object = podWith({})
    const verdict = admit({ object, namespace: 'default' }, { ...defaults, caCertPem: 'PEM' })
    expect(JSON.stringify(verdict.patch)).toContain('{"name":"VAULT_CACERT_BYTES","value":"PEM"}')
  })

  it('takes a template file, unless there is a template', () => {
    const file = inject({ 'agent-inject-template-file-a': '/t/a.tpl' })
    expect(config(file.pod).template).toEqual([
      { destination: '/vault/secrets/a', source: '/t/a.tpl', left_delimiter: '{{', right_delimiter: '}}' },
    ])
    const both = inject({ 'agent-inject-template-file-a': '/t/a.tpl', 'agent-inject-template-a': 'x' })
    expect(config(both.pod).template[0]).toMatchObject({ contents: 'x' })
    expect(config(both.pod).template[0].source).toBeUndefined()
  })

  it("applies the user's JSON patch to the container", () => {
    const patch =
      '[{"op":"add","path":"/securityContext/seccompProfile","value":{"type":"RuntimeDefault"}},{"op":"replace","path":"/env/3/value","value":"debug"}]'
    const { pod } = inject({ 'agent-json-patch': patch })
    expect(sidecar(pod).securityContext.seccompProfile).toEqual({ type: 'RuntimeDefault' })
    expect(sidecar(pod).env[3]).toEqual({ name: 'VAULT_LOG_LEVEL', value: 'debug' })
    expect(inject({ 'agent-json-patch': '[{"op":"remove","path":"/nothing"}]' })).toMatchObject({
      allowed: false,
      message: 'error creating patch for agent: unable to use path /nothing: there is nothing',
    })
  })

  it('copies the mounts of a container, not its tokens', () => {
    const data = { name: 'data', mountPath: '/data', readOnly: true }
    const { pod } = inject(
      { 'agent-copy-volume-mounts': 'app' },
      { containers: [{ name: 'app', volumeMounts: [tokenMount, data] }] },
    )
    expect(sidecar(pod).volumeMounts).toContainEqual(data)
    expect(sidecar(pod).volumeMounts).toHaveLength(4)
    expect(inject({ 'agent-copy-volume-mounts': 'no' }).allowed).toBe(false)
  })

  it('names the annotation when the text of a denial does not', () => {
    expect(inject({ 'agent-pre-populate': 'maybe' })).toMatchObject({
      allowed: false,
      message: 'error creating new agent sidecar: strconv.ParseBool: parsing "maybe": invalid syntax',
      warnings: ['see the annotation vault.hashicorp.com/agent-pre-populate'],
    })
  })

  it('denies what the field knows and we do not do, and only then', () => {
    expect(inject({ 'agent-native-sidecar': 'true' })).toMatchObject({
      allowed: false,
      message: expect.stringContaining('agent-native-sidecar'),
    })
    expect(inject({ 'agent-native-sidecar': 'false' }).allowed).toBe(true)
  })

  it.each([
    [{ 'agent-inject-secert-b': 'x' }, 'did you mean vault.hashicorp.com/agent-inject-secret-b?'],
    [{ 'agent-pre-populate-onyl': 'true' }, 'did you mean vault.hashicorp.com/agent-pre-populate-only?'],
    [{ 'agent-inject-containers': 'app,other' }, 'the pod has no container "other"'],
    [{ 'agent-template-left-delim-a': '[[' }, 'has no effect without agent-inject-template-a'],
    [{ 'auth-type': 'approle' }, 'auth-type: not implemented by coffer agent'],
    [{ 'agent-telemetry-disable-hostname': 'true' }, 'agent-telemetry-disable-hostname: not implemented'],
    [{ 'agent-inject-secret-a': '' }, 'the agent will render nothing'],
  ])('warns of %j', (annotations, words) => {
    const { allowed, warnings } = inject(annotations as Record<string, string>)
    expect(allowed).toBe(true)
    expect(warnings.join('\n')).toContain(words)
  })

  it('has nothing to say about a plain pod', () => {
    expect(inject({}).warnings).toBeUndefined()
  })

  it('runs as no root and says so; the default may leave the context out, run-as asks for it again', () => {
    expect(sidecar(inject({ 'agent-run-as-user': '0' }).pod).securityContext.runAsNonRoot).toBe(false)
    const object = podWith({ 'agent-run-as-group': '7' })
    const off = { ...defaults, setSecurityContext: false }
    expect(JSON.stringify(admit({ object, namespace: 'd' }, off).patch)).toContain('"runAsGroup":7')
    expect(JSON.stringify(admit({ object: podWith({}), namespace: 'd' }, off).patch)).not.toContain('runAsUser')
  })
})
