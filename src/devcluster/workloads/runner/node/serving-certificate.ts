/** A node's serving certificate from the cluster's own signer, as kubelets with serverTLSBootstrap get theirs. */
import {
  ApiError,
  type KubeClient,
  type KubeObject,
  type ObjectMeta,
  type ResourceType,
} from '../../../../kube/client.ts'
import { configMaps } from '../../../../kube/object-types.ts'
import type { Clock } from '../../../../lib/clock.ts'
import type { KeyedCertificate } from '../../../../lib/x509/certificates.ts'
import { createSigningRequest } from '../../../../lib/x509/signing-request.ts'

type SigningRequestObject = KubeObject & {
  status?: { certificate?: string; conditions?: { type?: string; message?: string }[] }
}
const signingRequests: ResourceType<SigningRequestObject> = {
  group: 'certificates.k8s.io',
  version: 'v1',
  plural: 'certificatesigningrequests',
  kind: 'CertificateSigningRequest',
  namespaced: false,
}

export interface ServingCertificateOptions {
  readonly client: KubeClient
  readonly clock: Clock
  readonly nodeName: string
  readonly hostIp: string
  /** Of the request: its name begins with the node's. */
  readonly metadata?: Pick<ObjectMeta, 'labels' | 'ownerReferences'>
  /** How long a signer, and whoever has to approve, is waited for. */
  readonly withinMs: number
}
/** `problem`: why there is none, and who can change that. */
export type ServingCertificate = KeyedCertificate | { readonly problem: string }

const lifetimeSeconds = 30 * 86_400

/** Asks, approves where we may, waits; the request is removed whatever comes of it. */
export async function requestServingCertificate(options: ServingCertificateOptions): Promise<ServingCertificate> {
  const { client, nodeName, hostIp } = options
  const { requestPem, keyPem } = createSigningRequest({
    // What the signer kubernetes.io/kubelet-serving signs: this subject, and at least one name or address.
    commonName: `system:node:${nodeName}`,
    organizations: ['system:nodes'],
    ipAddresses: [hostIp],
  })
  let name = ''
  try {
    const created = await client.create(signingRequests, {
      apiVersion: 'certificates.k8s.io/v1',
      kind: 'CertificateSigningRequest',
      // A name of its own: one that is there already may be somebody else's.
      metadata: { generateName: `${nodeName}-`, ...options.metadata },
      spec: {
        request: Buffer.from(requestPem).toString('base64'),
        signerName: 'kubernetes.io/kubelet-serving',
        usages: ['digital signature', 'server auth'],
        expirationSeconds: lifetimeSeconds,
      },
    })
    name = created.metadata.name ?? ''
    const approval = await approve(client, created)
    const signed = await waitSigned(options, name, approval)
    return typeof signed === 'string' ? { problem: signed } : { ...signed, keyPem }
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) }
  } finally {
    if (name) await client.delete(signingRequests, { name }).catch(() => {})
  }
}

/** Undefined when it is approved; else the words of the refusal. */
async function approve(client: KubeClient, request: SigningRequestObject): Promise<string | undefined> {
  const condition = {
    type: 'Approved',
    status: 'True',
    reason: 'PodRunner',
    message: 'asked for by the pod runner itself',
  }
  try {
    const approved = { ...request, status: { conditions: [condition] } }
    await client.update(signingRequests, approved, { subresource: 'approval' })
    return undefined
  } catch (error) {
    if (error instanceof ApiError && error.status === 403) return error.message
    throw error
  }
}

async function waitSigned(
  { client, clock, withinMs }: ServingCertificateOptions,
  name: string,
  refusal: string | undefined,
): Promise<{ certPem: string } | string> {
  const deadline = clock.monotonic() + withinMs
  while (clock.monotonic() < deadline) {
    const { certificate, conditions = [] } = (await client.get(signingRequests, { name }))?.status ?? {}
    if (certificate) return { certPem: Buffer.from(certificate, 'base64').toString('utf8') }
    const bad = conditions.find(({ type }) => type === 'Denied' || type === 'Failed')
    if (bad) return `CertificateSigningRequest ${name}: ${bad.type}: ${bad.message ?? 'no reason given'}`
    await clock.sleep(50)
  }
  const within = `within ${withinMs / 1000} s`
  if (refusal) return `CertificateSigningRequest ${name} was not approved ${within}: ${refusal}`
  return `CertificateSigningRequest ${name} was approved and not signed ${within}: no controller manager of this cluster signs for kubernetes.io/kubelet-serving`
}

/** Who signs the certificate that the API server shows to kubelets; undefined where it does not say so. */
export async function apiServerClientCa(client: KubeClient): Promise<string | undefined> {
  const ref = { namespace: 'kube-system', name: 'extension-apiserver-authentication' }
  return (await client.get(configMaps, ref))?.data?.['client-ca-file']
}
