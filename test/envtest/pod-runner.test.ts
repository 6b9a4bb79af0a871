/** The pod runner as a node of a real control plane: its validation, its node lifecycle controller, its Deployments. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { leaseNamespace, leases } from '../../src/devcluster/workloads/runner/node/node-lease.ts'
import type { KubeClient, KubeObject } from '../../src/kube/client.ts'
import {
  configMaps,
  deployments,
  events,
  namespaces,
  nodes,
  type Pod,
  pods,
  secrets,
  serviceAccounts,
} from '../../src/kube/object-types.ts'
import { systemRandom } from '../../src/lib/random.ts'
import { issueCertificate } from '../../src/lib/x509/certificates.ts'
import { root } from '../e2e/server-process.ts'
import { adminClient, allObjects, settledObjects } from './resources.ts'

const plane = inject('controlPlane')
const dir = mkdtempSync(join(tmpdir(), 'coffer-runner-real-'))
const namespace = `runner-${process.pid}`
const nodeName = `runner-${process.pid}`
let kube: KubeClient
let runner: ChildProcess
let output = ''
let before: string[]

async function eventually<T>(what: string, look: () => Promise<T | undefined | false>, ms = 30_000): Promise<T> {
  const deadline = Date.now() + ms
  let last: unknown
  for (;;) {
    try {
      const found = await look()
      if (found !== undefined && found !== false) return found
    } catch (error) {
      last = error
    }
    if (Date.now() > deadline) throw new Error(`not within ${ms} ms: ${what}\n${output.slice(-3000)}`, { cause: last })
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}

async function startRunner(): Promise<void> {
  const images = { 'shell:1': { command: ['/bin/sh', '-c'], args: ['echo no command'] } }
  writeFileSync(join(dir, 'images.json'), JSON.stringify(images))
  // A copy: beside the plane's own kubeconfig there might be a kubelet's certificate.
  writeFileSync(join(dir, 'kubeconfig'), readFileSync(plane.kubeconfig), { mode: 0o600 })
  const args = ['workloads', '--kubeconfig', join(dir, 'kubeconfig'), '--dir', join(dir, 'pods'), '--no-controllers']
  args.push('--images', join(dir, 'images.json'), '--node-name', nodeName, '--namespace', namespace)
  const env = { PATH: process.env['PATH'], HOME: dir, COFFER_SUPERVISED: '1' }
  const child = spawn(process.execPath, [join(root, 'bin/coffer'), ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += chunk))
  runner = child
  await new Promise<void>((resolve, reject) => {
    child.on('message', () => resolve())
    child.on('exit', (code) => reject(new Error(`the runner ended with ${code}: ${output}`)))
  })
}

async function endRunner(signal: NodeJS.Signals): Promise<number | null> {
  if (runner.exitCode !== null || runner.signalCode !== null) return runner.exitCode
  const ended = new Promise<number | null>((resolve) => runner.once('exit', (code) => resolve(code)))
  runner.kill(signal)
  return ended
}

beforeAll(async () => {
  execFileSync(process.execPath, [join(root, 'scripts/build.mjs'), '--if-stale'])
  kube = await adminClient()
  before = await settledObjects(kube)
  await kube.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })
  await eventually('service account', () => kube.get(serviceAccounts, { namespace, name: 'default' }))
  await startRunner()
})
afterAll(async () => {
  await endRunner('SIGKILL')
  await kube.delete(namespaces, { name: namespace })
  await kube.delete(nodes, { name: nodeName })
  for (const pod of (await kube.list(pods, { namespace })).items)
    await kube.delete(pods, { namespace, name: pod.metadata.name ?? '' }, { gracePeriodSeconds: 0 })
  await eventually('as before', async () => (await allObjects(kube)).join() === before.join(), 60_000)
  await kube.close()
  rmSync(dir, { recursive: true, force: true })
})

const pod = (name: string): Promise<Pod | undefined> => kube.get(pods, { namespace, name })
const start = (name: string, spec: object, metadata: object = {}) =>
  kube.create(pods, { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace, ...metadata }, spec } as KubeObject)
const shell = (script: string, more: object = {}) => ({ name: 'c', image: 'shell:1', args: [script], ...more })
const phase = (name: string, wanted: string) =>
  eventually(`${name} ${wanted}`, async () => (await pod(name))?.status?.phase === wanted)
const logs = (...args: string[]) =>
  execFileSync(plane.kubectl, ['--kubeconfig', plane.kubeconfig, '-n', namespace, 'logs', ...args], {
    encoding: 'utf8',
    stdio: 'pipe',
  })
const conditionOf = async (type: string) =>
  (await kube.get(nodes, { name: nodeName }))?.status?.conditions?.find((condition) => condition.type === type)
const base64 = (text: string) => Buffer.from(text).toString('base64')

describe('the pod runner on a real control plane', () => {
  it('is a Node that is ready, without the taint of one that is not', async () => {
    expect((await conditionOf('Ready'))?.status).toBe('True')
    for (const type of ['MemoryPressure', 'DiskPressure', 'PIDPressure'])
      expect((await conditionOf(type))?.status).toBe('False')
    const taints = async () => (await kube.get(nodes, { name: nodeName }))?.spec?.taints ?? []
    await eventually('no not-ready taint', async () => (await taints()).length === 0)
    const lease = await eventually('its Lease', () => kube.get(leases, { namespace: leaseNamespace, name: nodeName }))
    expect(lease.metadata.ownerReferences?.[0]).toMatchObject({ kind: 'Node', name: nodeName })
  })

  it('runs a pod with init container, Secret, ConfigMap, downward API and a token that is bound to it', async () => {
    const data = { password: base64('p4ss') }
    await kube.create(secrets, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'app', namespace },
      data,
    } as KubeObject)
    await kube.create(configMaps, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'app', namespace },
      data: { greeting: 'hello' },
    } as KubeObject)
    const token = { serviceAccountToken: { path: 'token', audience: 'coffer', expirationSeconds: 600 } }
    const labels = { fieldRef: { fieldPath: 'metadata.labels' }, path: 'labels' }
    const volumes = [
      { name: 'work', emptyDir: { medium: 'Memory' } },
      { name: 'secret', secret: { secretName: 'app' } },
      { name: 'own', projected: { sources: [token, { downwardAPI: { items: [labels] } }] } },
    ]
    const volumeMounts = [
      { name: 'work', mountPath: '/work' },
      { name: 'secret', mountPath: '/secret' },
      { name: 'own', mountPath: '/own' },
    ]
    const env = [
      { name: 'GREETING', valueFrom: { configMapKeyRef: { name: 'app', key: 'greeting' } } },
      { name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
    ]
    const script =
      'cat /work/made; cat /secret/password; echo; echo $GREETING $NODE; cat /own/labels; echo; cat /own/token; echo; while ! grep -q new /secret/password; do sleep 0.1; done; echo changed; exec sleep 1000'
    await start(
      'whole',
      {
        volumes,
        initContainers: [{ ...shell('echo made by init > /work/made', { name: 'init' }), volumeMounts }],
        containers: [{ ...shell(script), volumeMounts, env }],
      },
      { labels: { app: 'whole' } },
    )
    await phase('whole', 'Running')
    const log = await eventually('its token', async () => {
      const text = logs('whole', '-c', 'c')
      return text.split('\n').length > 5 && text
    })
    expect(log).toContain(`made by init\np4ss\nhello ${nodeName}\napp="whole"\n`)
    const [, claims = ''] = (log.trim().split('\n').at(-1) ?? '').split('.')
    const found = await pod('whole')
    expect(JSON.parse(Buffer.from(claims, 'base64url').toString())).toMatchObject({
      aud: ['coffer'],
      'kubernetes.io': { pod: { name: 'whole', uid: found?.metadata.uid } },
    })
    const patch = { kind: 'merge' as const, body: { data: { password: base64('new') } } }
    await kube.patch(secrets, { namespace, name: 'app' }, patch)
    await eventually('the new value', async () => logs('whole', '-c', 'c').includes('changed'))
    expect(found?.status?.initContainerStatuses?.[0]?.state?.terminated?.reason).toBe('Completed')
    expect(found?.status?.conditions?.map(({ type, status }) => [type, status])).toEqual(
      expect.arrayContaining([
        ['PodScheduled', 'True'],
        ['Initialized', 'True'],
        ['ContainersReady', 'True'],
        ['Ready', 'True'],
      ]),
    )
    const reasons = (await kube.list(events, { namespace })).items.map((event) => event.reason)
    for (const reason of ['Scheduled', 'Pulled', 'Created', 'Started']) expect(reasons).toContain(reason)
  })

  it('ends pods as their restartPolicy says, with statuses that the API server accepts', async () => {
    await start('good', { restartPolicy: 'Never', containers: [shell('echo done')] })
    await start('bad', { restartPolicy: 'Never', containers: [shell('exit 3')] })
    await start('init-bad', {
      restartPolicy: 'Never',
      initContainers: [shell('exit 4', { name: 'i' })],
      containers: [shell('true')],
    })
    await start('again', { restartPolicy: 'OnFailure', containers: [shell('exit 5')] })
    await phase('good', 'Succeeded')
    await phase('bad', 'Failed')
    await phase('init-bad', 'Failed')
    expect((await pod('bad'))?.status?.containerStatuses?.[0]?.state?.terminated).toMatchObject({
      exitCode: 3,
      reason: 'Error',
    })
    const crashing = await eventually('restarted', async () => {
      const status = (await pod('again'))?.status?.containerStatuses?.[0]
      return (status?.restartCount ?? 0) >= 1 && status?.lastState?.terminated?.exitCode === 5 && status
    })
    expect(crashing.restartCount).toBeGreaterThan(0)
    for (const name of ['good', 'bad', 'init-bad', 'again']) await kube.delete(pods, { namespace, name })
    for (const name of ['good', 'bad', 'init-bad', 'again'])
      await eventually(`${name} gone`, async () => !(await pod(name)))
    expect(output).not.toContain('pod.status_refused')
    expect(output).not.toContain('pod.status_failed')
  })

  it('gives a pod its grace, then reports its end', async () => {
    const script = "trap 'echo asked; sleep 0.3; echo leaving; exit 0' TERM; echo up; while :; do sleep 0.05; done"
    await start('graceful', { containers: [shell(script)] })
    await eventually('up', async () => logs('graceful').includes('up'))
    const path = `/api/v1/namespaces/${namespace}/pods/graceful/log?follow=true`
    const followed = kube.raw({ method: 'GET', path })
    await kube.delete(pods, { namespace, name: 'graceful' })
    expect((await pod('graceful'))?.metadata.deletionTimestamp).toBeDefined()
    expect((await followed).body).toContain('asked\nleaving\n')
    await eventually('gone', async () => !(await pod('graceful')))
  })

  it('a Deployment of the real controller manager becomes available, rolls out and goes', async () => {
    const labels = { app: 'deployed' }
    const ref = { namespace, name: 'deployed' }
    await kube.create(deployments, {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: ref,
      spec: {
        replicas: 2,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [shell('exec sleep 1000')] } },
      },
    } as KubeObject)
    const available = (generation: number) =>
      eventually('available', async () => {
        const status = (await kube.get(deployments, ref))?.status
        const { observedGeneration = 0, replicas, updatedReplicas, availableReplicas } = status ?? {}
        return observedGeneration >= generation && replicas === 2 && updatedReplicas === 2 && availableReplicas === 2
      })
    await available(1)
    const body = { spec: { template: { metadata: { annotations: { rolled: 'yes' } } } } }
    await kube.patch(deployments, ref, { kind: 'merge', body })
    await available(2)
    await kube.delete(deployments, ref, { propagationPolicy: 'Background' })
    const left = async () => (await kube.list(pods, { namespace, labelSelector: 'app=deployed' })).items.length
    await eventually('pods gone', async () => (await left()) === 0)
  })

  it('leaves pods alone that do not fit or that a scheduler will place, and takes those that name it', async () => {
    const quick = { restartPolicy: 'Never', containers: [shell('true')] }
    await start('elsewhere', { ...quick, nodeSelector: { disk: 'ssd' } })
    await eventually('FailedScheduling', async () => {
      const { items } = await kube.list(events, { namespace })
      return items.some((event) => event.reason === 'FailedScheduling' && event.involvedObject.name === 'elsewhere')
    })
    const other = { name: `${nodeName}-other` }
    const ready = { conditions: [{ type: 'Ready', status: 'True', reason: 'Test' }] }
    await kube.create(nodes, { apiVersion: 'v1', kind: 'Node', metadata: other, status: ready } as KubeObject)
    try {
      // Its own watch tells the runner; a pod that nobody takes shows that it knows.
      await start('named', { ...quick, nodeSelector: { 'kubernetes.io/hostname': nodeName } })
      await phase('named', 'Succeeded')
      await eventually('the runner knows of it', async () => output.includes('"event":"node.shared"'))
      await start('unnamed', quick)
      await start('named-too', { ...quick, nodeSelector: { 'kubernetes.io/hostname': nodeName } })
      await phase('named-too', 'Succeeded')
      expect((await pod('unnamed'))?.spec?.nodeName).toBeUndefined()
    } finally {
      await kube.delete(nodes, other)
    }
    // Alone again.
    await phase('unnamed', 'Succeeded')
    expect((await pod('elsewhere'))?.spec?.nodeName).toBeUndefined()
    for (const name of ['elsewhere', 'named', 'named-too', 'unnamed']) await kube.delete(pods, { namespace, name })
  })

  it('shows logs to whom the API server allows nodes/proxy, and to nobody else', async () => {
    await start('logged', { containers: [shell('echo for some; exec sleep 1000')] })
    await eventually('its line', async () => logs('logged').includes('for some'))
    const port = (await kube.get(nodes, { name: nodeName }))?.status?.daemonEndpoints?.kubeletEndpoint?.Port
    const common = { random: systemRandom, now: Date.now(), validForMs: 3_600_000, client: true }
    const ask = (tls: { certPem: string; keyPem: string } | undefined) =>
      new Promise<string>((resolve) => {
        const path = `/containerLogs/${namespace}/logged/c`
        const identity = tls ? { cert: tls.certPem, key: tls.keyPem } : {}
        const sent = request(
          { host: '127.0.0.1', port, path, agent: false, ca: plane.ca.certPem, ...identity },
          (answer) => {
            let text = ''
            answer.on('data', (chunk) => (text += chunk))
            answer.on('end', () => resolve(`${answer.statusCode} ${text}`))
          },
        )
        sent.on('error', (error) => resolve(`refused: ${error.message}`))
        sent.end()
      })
    const certificate = (commonName: string) => issueCertificate(plane.ca, { ...common, commonName })
    expect(await ask(undefined)).toMatch(/^refused/)
    expect(await ask(certificate('nobody'))).toMatch(/^403 Forbidden \(user=nobody, verb=get, resource=nodes/)
    const rbac = (kind: string): any => ({
      group: 'rbac.authorization.k8s.io',
      version: 'v1',
      plural: `${kind.toLowerCase()}s`,
      kind,
      namespaced: false,
    })
    const metadata = { name: `${nodeName}-logs` }
    const apiVersion = 'rbac.authorization.k8s.io/v1'
    const rules = [{ apiGroups: [''], resources: ['nodes/proxy'], verbs: ['get'] }]
    await kube.create(rbac('ClusterRole'), { apiVersion, kind: 'ClusterRole', metadata, rules })
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: metadata.name }
    const subjects = [{ kind: 'User', name: 'reader', apiGroup: 'rbac.authorization.k8s.io' }]
    await kube.create(rbac('ClusterRoleBinding'), {
      apiVersion,
      kind: 'ClusterRoleBinding',
      metadata,
      roleRef,
      subjects,
    })
    try {
      expect(await ask(certificate('reader'))).toBe('200 for some\n')
    } finally {
      await kube.delete(rbac('ClusterRoleBinding'), metadata)
      await kube.delete(rbac('ClusterRole'), metadata)
    }
  })

  it('stays ready for longer than the node lifecycle controller waits for a sign', async () => {
    const created = Date.parse((await kube.get(nodes, { name: nodeName }))?.metadata.creationTimestamp ?? '')
    // 50 s is the controller's patience since 1.32.
    await eventually(
      'a heartbeat after 60 s',
      async () => {
        const spec: any = (await kube.get(leases, { namespace: leaseNamespace, name: nodeName }))?.['spec']
        return Date.parse(spec.renewTime) - created > 60_000
      },
      100_000,
    )
    expect((await conditionOf('Ready'))?.status).toBe('True')
    expect((await kube.get(nodes, { name: nodeName }))?.spec?.taints ?? []).toEqual([])
  })

  it('comes back when its Node is deleted or called not ready', async () => {
    const uid = (await kube.get(nodes, { name: nodeName }))?.metadata.uid
    await kube.delete(nodes, { name: nodeName })
    const isNew = async () => {
      const node = await kube.get(nodes, { name: nodeName })
      return node?.metadata.uid !== uid && (await conditionOf('Ready'))?.status === 'True'
    }
    await eventually('a new Node', isNew)
    const silent = {
      type: 'Ready',
      status: 'Unknown',
      reason: 'NodeStatusUnknown',
      message: 'Kubelet stopped posting node status.',
    }
    const body = { status: { conditions: [silent] } }
    await kube.patch(nodes, { name: nodeName }, { kind: 'merge', body }, { subresource: 'status' })
    await eventually('ready again', async () => (await conditionOf('Ready'))?.status === 'True')
  })

  it('says at its end that it has stopped, and leaves no file', async () => {
    expect(await endRunner('SIGTERM')).toBe(0)
    expect(await conditionOf('Ready')).toMatchObject({ status: 'False', reason: 'PodRunnerStopped' })
    for (const canary of ['p4ss', plane.token, 'eyJ']) expect(output).not.toContain(canary)
  })
})
