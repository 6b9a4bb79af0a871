/** pods/log: asked of the kubelet of the pod's node, whose address stands on the Node object. */
import { request } from 'node:https'
import type { KubeObject } from '../../../kube/client.ts'
import { nodeAddress } from '../kinds/cluster.ts'
import { containerNames } from '../kinds/pods/pod.ts'
import { badRequest, internalError, notFound, StatusError } from '../status.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { numberAt, textAt, treesAt } from '../tree.ts'
import type { ApiResponse } from '../wire.ts'
import type { RequestContext } from './context.ts'

/** Rejects when the kubelet can't be reached. */
export type KubeletCall = (call: {
  readonly host: string
  readonly port: number
  /** With the query. */
  readonly path: string
  readonly signal: AbortSignal | undefined
}) => Promise<{ readonly status: number; readonly body: AsyncIterable<string> }>

const passedOn = ['follow', 'previous', 'sinceSeconds', 'sinceTime', 'timestamps', 'tailLines', 'limitBytes', 'stream']

export async function podLogs(store: ObjectStore, call: KubeletCall, context: RequestContext): Promise<ApiResponse> {
  const { namespace = '', name = '', query } = context
  const pod = store.get('pods', namespace, name)
  if (!pod) throw notFound(context.resource, name)
  const container = containerOf(pod, query.get('container') ?? '')
  const nodeName = textAt(pod, 'spec', 'nodeName')
  if (!nodeName)
    // As the API server: a pod without a node has no logs, which is no error.
    return { status: 204, headers: {}, body: '' }
  const { host, port } = kubeletOf(store, nodeName)
  const options = new URLSearchParams()
  for (const option of passedOn) {
    const value = query.get(option)
    // What is false is not passed on.
    if (value !== null && value !== 'false') options.set(option, value)
  }
  // As Go writes a query.
  options.sort()
  const steps = [namespace, name, container].map(encodeURIComponent).join('/')
  const path = `/containerLogs/${steps}${options.size > 0 ? `?${options}` : ''}`
  const answer = await call({ host, port, path, signal: context.signal }).catch((error: unknown) => {
    const why = error instanceof Error ? error.message : ''
    throw internalError(`Get "https://${host}:${port}${path}": ${why}`)
  })
  if (answer.status === 200) return { status: 200, headers: { 'content-type': 'text/plain' }, body: answer.body }
  const text = await whole(answer.body)
  throw new StatusError(answer.status, answer.status === 404 ? 'NotFound' : 'BadRequest', text.trim())
}

async function whole(body: AsyncIterable<string>): Promise<string> {
  let text = ''
  for await (const chunk of body) text += chunk
  return text
}

function containerOf(pod: KubeObject, asked: string): string {
  const { init, regular } = containerNames(pod)
  const name = pod.metadata.name ?? ''
  if (asked !== '') {
    if (![...init, ...regular].includes(asked)) throw badRequest(`container ${asked} is not valid for pod ${name}`)
    return asked
  }
  const byAnnotation = pod.metadata.annotations?.['kubectl.kubernetes.io/default-container']
  const only = byAnnotation ?? (regular.length === 1 ? regular[0] : undefined)
  if (only !== undefined) return only
  const choice = `a container name must be specified for pod ${name}, choose one of: [${regular.join(' ')}]`
  throw badRequest(init.length > 0 ? `${choice} or one of the init containers: [${init.join(' ')}]` : choice)
}

/** kube-apiserver's --kubelet-preferred-address-types. */
const addressTypes = ['Hostname', 'InternalDNS', 'InternalIP', 'ExternalDNS', 'ExternalIP']
const kubeletPort = 10_250

function kubeletOf(store: ObjectStore, nodeName: string): { host: string; port: number } {
  const node = store.get('nodes', undefined, nodeName)
  if (!node) throw notFound({ group: '', plural: 'nodes' }, nodeName)
  const host = addressTypes.map((type) => nodeAddress(node, type)).find((address) => address !== undefined)
  if (host === undefined) {
    const known = treesAt(node, 'status', 'addresses').map(({ type, address }) => `{${type} ${address}}`)
    throw new StatusError(500, '', `no preferred addresses found; known addresses: [${known.join(' ')}]`)
  }
  return { host, port: numberAt(node, 'status', 'daemonEndpoints', 'kubeletEndpoint', 'Port') || kubeletPort }
}

/** Verifies the kubelet with the cluster's CA and shows it our client certificate, as kube-apiserver does. */
export function kubeletOverHttps(tls: {
  readonly caPem: string
  readonly certPem: string
  readonly keyPem: string
}): KubeletCall {
  return ({ host, port, path, signal }) =>
    new Promise((resolve, reject) => {
      const sent = request(
        {
          host,
          port,
          path,
          agent: false,
          ca: tls.caPem,
          cert: tls.certPem,
          key: tls.keyPem,
          ...(signal ? { signal } : {}),
        },
        (response) => {
          response.setEncoding('utf8')
          resolve({ status: response.statusCode ?? 0, body: response })
        },
      )
      sent.on('error', reject)
      sent.end()
    })
}
