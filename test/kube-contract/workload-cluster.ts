/** A cluster whose workloads are brought about: by our controllers on the embedded API server, by the controller manager on the real one. */
import { ApiServer } from '../../src/devcluster/api/api-server.ts'
import { listenHttps } from '../../src/devcluster/api/http-listener.ts'
import { runControllers } from '../../src/devcluster/workloads/controllers.ts'
import { createInProcessClient } from '../../src/kube/in-process-client.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import { systemRandom } from '../../src/lib/random.ts'
import { type Answer, type Cluster, clientOf, onReal, openCluster, testCa, testServerCertificate } from './cluster.ts'

const token = 'contract-admin-token'

export async function openWorkloadCluster(): Promise<Cluster> {
  if (onReal) return openCluster()
  const ca = testCa()
  const server = new ApiServer({ clock: systemClock, random: systemRandom, caPem: ca.certPem, adminToken: token })
  const listener = await listenHttps({ server, ...testServerCertificate(ca), port: 0 })
  const stop = new AbortController()
  const options = { clock: systemClock, random: systemRandom, log: silentLog }
  const client = createInProcessClient((request) => server.handle(request), {
    ...options,
    headers: { authorization: `Bearer ${token}` },
  })
  const done = runControllers({ ...options, client }, stop.signal)
  const close = async () => {
    stop.abort(new Error('over'))
    await done
    await listener.close()
  }
  return clientOf({ address: listener.address, ca, token, close })
}

/** A real garbage collector looks away for half a minute at a time whenever a definition has come or gone, in other files too. */
const withinMost = onReal ? 90_000 : 20_000

/** What `look` finds, once it finds something. */
export async function found<T>(
  what: string,
  look: () => Promise<T | undefined | false>,
  withinMs = withinMost,
): Promise<T> {
  const end = performance.now() + withinMs
  for (;;) {
    const seen = await look()
    if (seen !== undefined && seen !== false) return seen
    if (performance.now() > end) throw new Error(`did not come about: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** One namespace, seen and changed the way a user and a kubelet do. */
export function workloadsIn(cluster: Cluster, namespace: string) {
  const core = `/api/v1/namespaces/${namespace}`
  const pathOf = (resource: string, name: string) => {
    const group = resource.includes('job') ? 'batch' : 'apps'
    const base = resource === 'pods' ? core : `/apis/${group}/v1/namespaces/${namespace}`
    return `${base}/${resource}${name === '' ? '' : `/${name}`}`
  }
  const list = async (resource: string, query = ''): Promise<Answer[]> => {
    const { body } = await cluster.get(`${pathOf(resource, '')}${query}`)
    return body.items.sort((a: Answer, b: Answer) => (a.metadata.name < b.metadata.name ? -1 : 1))
  }
  const active = async () =>
    (await list('pods')).filter(
      (pod) => !pod.metadata.deletionTimestamp && !['Succeeded', 'Failed'].includes(pod.status.phase),
    )
  const setPodStatus = (pod: Answer, status: object) =>
    cluster.patch(`${pathOf('pods', pod.metadata.name)}/status`, 'merge', { status })
  return {
    namespace,
    pathOf,
    list,
    active,
    create: (resource: string, object: object) => cluster.post(pathOf(resource, ''), object),
    get: async (resource: string, name: string): Promise<Answer> => (await cluster.get(pathOf(resource, name))).body,
    patch: (resource: string, name: string, body: object) => cluster.patch(pathOf(resource, name), 'strategic', body),
    remove: (resource: string, name: string, propagationPolicy?: string) =>
      cluster.delete(pathOf(resource, name), propagationPolicy ? { propagationPolicy } : undefined),
    setPodStatus,
    makeReady: async (pods: Answer[], since = '2020-01-01T00:00:00Z') => {
      for (const pod of pods)
        await setPodStatus(pod, {
          phase: 'Running',
          conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: since }],
        })
    },
    /** As when its container has ended. */
    end: (pod: Answer, exitCode: number) => {
      const finishedAt = `${new Date().toISOString().slice(0, 19)}Z`
      const terminated = { exitCode, finishedAt, startedAt: finishedAt, reason: exitCode === 0 ? 'Completed' : 'Error' }
      const { name, image } = pod.spec.containers[0]
      const container = { name, image, imageID: '', ready: false, restartCount: 0, state: { terminated } }
      return setPodStatus(pod, { phase: exitCode === 0 ? 'Succeeded' : 'Failed', containerStatuses: [container] })
    },
    /** "Type Reason: message" of an object's events, in the order of these words: the events of one second have none. */
    events: async (kind: string, name: string): Promise<string[]> => {
      const { body } = await cluster.get(`${core}/events`)
      return body.items
        .filter((event: Answer) => event.involvedObject.kind === kind && event.involvedObject.name === name)
        .map((event: Answer) => `${event.type} ${event.reason}: ${event.message}`)
        .sort()
    },
  }
}

export type Workloads = ReturnType<typeof workloadsIn>

export const conditionOf = (object: Answer, type: string): Answer =>
  object.status?.conditions?.find((condition: Answer) => condition.type === type)

/** "True MinimumReplicasAvailable: ..." */
export const told = (object: Answer, type: string): string | undefined => {
  const condition = conditionOf(object, type)
  return condition && `${condition.status} ${condition.reason}: ${condition.message}`
}
