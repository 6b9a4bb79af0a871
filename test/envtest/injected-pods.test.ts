/** The recorded pods go through a real API server with our webhook: it validates what we made of them, also under Pod Security. */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { standardDefaults } from '../../src/injector/defaults.ts'
import { applyJsonPatch, type JsonPatchOperation } from '../../src/injector/patch/json-patch.ts'
import { ServingCertificate } from '../../src/injector/tls/serving-certificate.ts'
import { podWebhook } from '../../src/injector/webhook.ts'
import { type AdmissionServer, startAdmissionServer } from '../../src/kube/admission.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import { systemRandom } from '../../src/lib/random.ts'
import { type Answer, type Cluster, eventually, openCluster } from '../kube-contract/cluster.ts'

interface Recorded {
  readonly case: string
  readonly pod: { metadata: { name: string; namespace: string }; spec: Answer }
  readonly allowed: boolean
  readonly status?: { message: string }
  readonly patch?: readonly JsonPatchOperation[]
}
const recorded: Recorded[] = JSON.parse(
  readFileSync(new URL('../recorded/injector-patches.json', import.meta.url), 'utf8'),
)
const defaults = { ...standardDefaults, address: 'https://vault.vault.svc:8200', image: 'hashicorp/vault:1.20' }
const configurations = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations'

let cluster: Cluster
let server: AdmissionServer
let name = ''
const namespaces = { free: '', restricted: '' }

beforeAll(async () => {
  cluster = await openCluster()
  const certificate = new ServingCertificate({ hosts: ['127.0.0.1'], clock: systemClock, random: systemRandom })
  server = await startAdmissionServer({
    certificate: certificate.current(),
    handlers: { '/mutate': podWebhook({ defaults, log: silentLog }) },
    ready: () => true,
    host: '127.0.0.1',
    port: 0,
    clock: systemClock,
    log: silentLog,
  })
  for (const kind of ['free', 'restricted'] as const) {
    namespaces[kind] = await cluster.namespace()
    const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'my-app' } }
    await cluster.post(`/api/v1/namespaces/${namespaces[kind]}/serviceaccounts`, account)
  }
  await cluster.patch(`/api/v1/namespaces/${namespaces.restricted}`, 'merge', {
    metadata: { labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
  })
  name = cluster.unique('injected-pods')
  const made = await cluster.post(configurations, {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    metadata: { name },
    webhooks: [
      {
        name: 'vault.hashicorp.com',
        admissionReviewVersions: ['v1'],
        sideEffects: 'None',
        clientConfig: {
          url: `https://127.0.0.1:${server.port}/mutate`,
          caBundle: Buffer.from(certificate.caPem()).toString('base64'),
        },
        rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }],
        namespaceSelector: {
          matchExpressions: [
            {
              key: 'kubernetes.io/metadata.name',
              operator: 'In',
              values: [namespaces.free, namespaces.restricted, 'kube-system'],
            },
          ],
        },
      },
    ],
  })
  expect(made.status, made.text).toBe(201)
  const [seed] = recorded
  for (const kind of ['free', 'restricted'] as const)
    await eventually(async () =>
      JSON.stringify((await create(compliant(seed?.pod), kind)).body).includes('vault-agent'),
    )
})
afterAll(async () => {
  await cluster.delete(`${configurations}/${name}`)
  await cluster.close()
  await server.close()
})

/** Nothing is stored: admission and validation are the same. */
function create(pod: Answer, kind: keyof typeof namespaces) {
  const namespace = pod.metadata.namespace === 'kube-system' ? 'kube-system' : namespaces[kind]
  const object = { ...pod, metadata: { ...pod.metadata, namespace } }
  return cluster.post(`/api/v1/namespaces/${namespace}/pods?dryRun=All`, object)
}

/** As its owner has to write it below `restricted`; whatever the webhook adds is the webhook's business. */
function compliant(pod: Answer, seccomp: 'pod' | 'container' = 'pod'): Answer {
  const profile = { seccompProfile: { type: 'RuntimeDefault' } }
  const safe = (container: Answer) => ({
    ...container,
    securityContext: {
      ...container.securityContext,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      ...(seccomp === 'container' ? profile : {}),
    },
  })
  return {
    ...pod,
    spec: {
      ...pod.spec,
      securityContext: { runAsNonRoot: true, runAsUser: 1000, ...(seccomp === 'pod' ? profile : {}) },
      containers: pod.spec.containers.map(safe),
      ...(pod.spec.initContainers ? { initContainers: pod.spec.initContainers.map(safe) } : {}),
    },
  }
}

const config = (value: string) => JSON.parse(Buffer.from(value, 'base64').toString())

/** Every member of `wanted` is in `found`; lists of named things by name, templates by destination; others in order. */
function expectWithin(found: Answer, wanted: Answer, at: string): void {
  if (Array.isArray(wanted)) {
    const key = ['mountPath', 'destination', 'name'].find((k) => wanted.every((item) => item?.[k] !== undefined))
    for (const [index, item] of wanted.entries()) {
      const other = key ? (found ?? []).find((o: Answer) => o[key] === item[key]) : found?.[index]
      expectWithin(other, item, `${at}[${key ? item[key] : index}]`)
    }
  } else if (wanted !== null && typeof wanted === 'object') {
    const encoded = wanted['base64 of JSON']
    for (const [key, value] of Object.entries(encoded ?? wanted))
      expectWithin((encoded ? config(found) : found)?.[key], value, `${at}.${key}`)
  } else {
    expect(found, at).toEqual(wanted)
  }
}

describe('a pod with annotations, through a real API server', () => {
  it.each(recorded)('$case', async (one) => {
    const pod = structuredClone(one.pod)
    // The API server would add the token that this case does without.
    if (one.case === 'no-token-mount') pod.spec.automountServiceAccountToken = false
    if (one.case === 'kube-system') pod.spec.serviceAccountName = 'default'
    const { status, body } = await create(pod, 'free')
    if (!one.allowed) {
      expect([status, body.message]).toEqual([
        400,
        `admission webhook "vault.hashicorp.com" denied the request: ${one.status?.message}`,
      ])
      return
    }
    expect(status, body.message).toBe(201)
    const patched: Answer = one.patch ? applyJsonPatch(one.pod, one.patch) : one.pod
    expectWithin(body.spec, { ...patched.spec, serviceAccountName: pod.spec.serviceAccountName }, 'spec')
    const { namespace: _namespace, ...metadata } = patched.metadata
    expectWithin(body.metadata, metadata, 'metadata')
    const names = (of: Answer) => (of.spec.initContainers ?? []).map((container: Answer) => container.name)
    expect(names(body)).toEqual(names(patched))
  })
})

describe('under Pod Security "restricted"', () => {
  const injected = recorded.filter((one) => one.patch)

  it.each(injected.filter((one) => one.case !== 'no-security-context'))('$case is admitted', async (one) => {
    const { status, body } = await create(compliant(one.pod), 'restricted')
    expect(status, body.message).toBe(201)
  })

  it.each(injected.filter((one) => one.case !== 'no-security-context'))(
    '$case is admitted when only its containers name a seccomp profile',
    async (one) => {
      const { status, body } = await create(compliant(one.pod, 'container'), 'restricted')
      expect(status, body.message).toBe(201)
    },
  )

  it('an agent whose security context its owner switched off is refused, and named', async () => {
    const one = injected.find((candidate) => candidate.case === 'no-security-context')
    const { status, body } = await create(compliant(one?.pod), 'restricted')
    expect(status).toBe(403)
    expect(body.message).toContain('vault-agent-init')
  })
})
