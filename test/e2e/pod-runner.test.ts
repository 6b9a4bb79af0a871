/** Deployments and pods as real processes on the development cluster's API, in both kinds of isolation. */
import { type ChildProcess, spawn } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ApiServer } from '../../src/devcluster/api/api-server.ts'
import { listenHttps } from '../../src/devcluster/api/http-listener.ts'
import { kubeletOverHttps } from '../../src/devcluster/api/requests/pod-logs.ts'
import type { KubeClient, KubeObject } from '../../src/kube/client.ts'
import { bearer, fixedIdentity } from '../../src/kube/credentials/credential-source.ts'
import { configMaps, deployments, events, nodes, type Pod, pods, secrets } from '../../src/kube/object-types.ts'
import { createKubeClient } from '../../src/kube/rest-client.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import { systemRandom } from '../../src/lib/random.ts'
import { createCa, issueCertificate } from '../../src/lib/x509/certificates.ts'

const root = new URL('../..', import.meta.url).pathname
const base = realpathSync(mkdtempSync(join(tmpdir(), 'coffer-runner-')))
afterAll(() => rmSync(base, { recursive: true, force: true }))

/** Prints a file whenever its content changes. */
const appScript = `const fs = require('fs'); const path = process.env.APP_FILE; let last
const look = () => { let now = 'absent'; try { now = fs.readFileSync(path, 'utf8').trim() } catch {}
  if (now !== last) { last = now; console.log('file: ' + now + ' password: ' + process.env.PASSWORD) } }
process.on('SIGTERM', () => { console.log('bye'); process.exit(0) })
look(); setInterval(look, 25)`

async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
  ms = 20_000,
) {
  const deadline = Date.now() + ms
  let last: unknown
  for (;;) {
    try {
      const found = await look()
      if (found !== undefined && found !== false) return found as T
    } catch (error) {
      last = error
    }
    if (Date.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`, { cause: last })
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}

/** Command lines of the processes that name `text`; zombies have none. */
function processesOf(text: string): string[] {
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return []
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
      return line.includes(text) ? [`${pid} ${line.slice(0, 200)}`] : []
    } catch {
      return []
    }
  })
}

class Cluster {
  readonly dir: string
  readonly kubeconfig: string
  client!: KubeClient
  runner: ChildProcess | undefined
  output = ''
  #close: () => Promise<void> = async () => {}
  readonly isolation: string

  constructor(isolation: string) {
    this.isolation = isolation
    this.dir = mkdtempSync(join(base, `${isolation}-`))
    this.kubeconfig = join(this.dir, 'kubeconfig')
  }

  async start() {
    const given = { random: systemRandom, now: Date.now(), validForMs: 3_600_000 }
    const ca = createCa({ ...given, commonName: 'cluster' })
    const leaf = (commonName: string) =>
      issueCertificate(ca, { ...given, commonName, server: true, ipAddresses: ['127.0.0.1'] })
    const apiClient = issueCertificate(ca, {
      ...given,
      commonName: 'api',
      organizations: ['system:masters'],
      client: true,
    })
    const adminToken = 'admin-token'
    const server = new ApiServer({
      clock: systemClock,
      random: systemRandom,
      caPem: ca.certPem,
      adminToken,
      callKubelet: kubeletOverHttps({ caPem: ca.certPem, ...apiClient }),
    })
    const listener = await listenHttps({ server, ...leaf('api'), port: 0 })
    const config = {
      server: listener.address,
      caPem: ca.certPem,
      namespace: 'default',
      credentials: fixedIdentity({ headers: bearer(adminToken) }),
    }
    this.client = createKubeClient({ config, clock: systemClock, random: systemRandom, log: silentLog })
    const kubelet = leaf('kubelet')
    writeFileSync(join(this.dir, 'kubelet.crt'), kubelet.certPem)
    writeFileSync(join(this.dir, 'kubelet.key'), kubelet.keyPem, { mode: 0o600 })
    const data = Buffer.from(ca.certPem).toString('base64')
    writeFileSync(
      this.kubeconfig,
      JSON.stringify({
        clusters: [{ name: 'c', cluster: { server: listener.address, 'certificate-authority-data': data } }],
        users: [{ name: 'c', user: { token: adminToken } }],
        contexts: [{ name: 'c', context: { cluster: 'c', user: 'c' } }],
        'current-context': 'c',
      }),
    )
    this.#writeBuild()
    this.#close = async () => {
      await this.client.close()
      server.close()
      await listener.close()
    }
  }

  /** What stands for dist/: a `vault` that says where it is. */
  #writeBuild() {
    const build = join(this.dir, 'build')
    mkdirSync(join(build, 'bin'), { recursive: true })
    writeFileSync(join(build, 'coffer.js'), '')
    writeFileSync(join(build, 'bin/vault'), '#!/bin/sh\necho "vault $*"\n')
    chmodSync(join(build, 'bin/vault'), 0o755)
    writeFileSync(join(build, 'app.cjs'), appScript)
    const images = {
      'my-app:latest': { command: [process.execPath, join(build, 'app.cjs')] },
      'shell:1': { command: ['/bin/sh', '-c'], args: ['echo no command'] },
      'coffer:*': { agent: true },
    }
    writeFileSync(join(this.dir, 'images.json'), JSON.stringify(images))
  }

  async startRunner() {
    const args = [
      'workloads',
      '--kubeconfig',
      this.kubeconfig,
      '--dir',
      join(this.dir, 'pods'),
      '--images',
      join(this.dir, 'images.json'),
      '--build',
      join(this.dir, 'build'),
      '--node-name',
      'local',
    ]
    const script = join(root, 'test/e2e/start-program.mjs')
    this.runner = spawn(process.execPath, ['--import', 'tsx', script, ...args], {
      cwd: root,
      env: { PATH: process.env['PATH'], HOME: base, COFFER_POD_ISOLATION: this.isolation, COFFER_SUPERVISED: '1' },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    for (const stream of [this.runner.stdout, this.runner.stderr]) {
      stream?.on('data', (chunk) => {
        this.output += chunk
      })
    }
    const runner = this.runner
    const ready = new Promise<{ isolation: string }>((resolve, reject) => {
      runner.on('message', (message) => resolve(message as { isolation: string }))
      runner.on('exit', (code) => reject(new Error(`the runner ended with ${code}: ${this.output}`)))
    })
    expect((await ready).isolation).toBe(this.isolation)
  }

  async stopRunner(signal: 'SIGTERM' | 'SIGKILL') {
    const runner = this.runner
    if (!runner || runner.exitCode !== null || runner.signalCode !== null) return
    const ended = new Promise((resolve) => runner.on('exit', resolve))
    runner.kill(signal)
    await ended
  }

  async end() {
    await this.stopRunner('SIGKILL')
    await this.closeApi()
  }

  async closeApi() {
    const close = this.#close
    this.#close = async () => {}
    await close()
  }

  async logs(pod: string, container: string, query = ''): Promise<string> {
    const path = `/api/v1/namespaces/default/pods/${pod}/log?container=${container}${query}`
    const answer = await this.client.raw({ method: 'GET', path })
    if (answer.status !== 200) throw new Error(`${answer.status} ${answer.body}`)
    return answer.body
  }

  pod(name: string): Promise<Pod | undefined> {
    return this.client.get(pods, { namespace: 'default', name })
  }

  async run(name: string, spec: object, annotations: Record<string, string> = {}) {
    const metadata = { name, namespace: 'default', annotations, labels: { app: name } }
    await this.client.create(pods, { apiVersion: 'v1', kind: 'Pod', metadata, spec } as KubeObject)
  }

  async put(type: typeof secrets | typeof configMaps, name: string, data: Record<string, string>) {
    const object = { apiVersion: 'v1', kind: type.kind, metadata: { name, namespace: 'default' }, data }
    await this.client.apply(type as typeof configMaps, object, { fieldManager: 'test', force: true })
  }
}

const base64 = (text: string) => Buffer.from(text).toString('base64')
const canNamespaces = process.platform === 'linux'

describe.each(canNamespaces ? ['namespaces', 'none'] : ['none'])('pod runner, isolation %s', (isolation) => {
  const cluster = new Cluster(isolation)
  const { dir } = cluster
  beforeAll(async () => {
    await cluster.start()
    await cluster.startRunner()
  })
  afterAll(() => cluster.end())
  const phaseIs = (name: string, phase: string) =>
    eventually(`${name} ${phase}`, async () => (await cluster.pod(name))?.status?.phase === phase)

  it('is a ready node that says how it isolates', async () => {
    const node = await cluster.client.get(nodes, { name: 'local' })
    expect(node?.metadata.labels?.['coffer.dev/pod-isolation']).toBe(isolation)
    expect(node?.status?.conditions?.find((c) => c.type === 'Ready')?.status).toBe('True')
  })

  it('a Deployment becomes available: init container, shared volume, token, Secret; a change of the Secret reaches the app', async () => {
    await cluster.put(secrets, 'app', { password: base64('p4ss'), text: base64('one') })
    const vaultConfig = base64(JSON.stringify({ template: [{ destination: '/vault/secrets/config' }] }))
    const mounts = [
      { name: 'shared', mountPath: '/vault/secrets' },
      { name: 'home', mountPath: '/home/vault' },
    ]
    await cluster.client.create(deployments, {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'my-app', namespace: 'default' },
      spec: {
        replicas: 1,
        selector: { matchLabels: { app: 'my-app' } },
        template: {
          metadata: { labels: { app: 'my-app' } },
          spec: {
            volumes: [
              { name: 'shared', emptyDir: { medium: 'Memory' } },
              { name: 'home', emptyDir: { medium: 'Memory' } },
              { name: 'from-secret', secret: { secretName: 'app', items: [{ key: 'text', path: 'deep/text' }] } },
            ],
            initContainers: [
              {
                name: 'agent-init',
                image: 'coffer:dev',
                command: ['/bin/sh', '-ec'],
                args: [
                  'echo ${VAULT_CONFIG?} | base64 -d > /home/vault/config.json && ' +
                    'vault agent -config=/home/vault/config.json && /bin/vault token revoke -self && ' +
                    'cp /var/run/secrets/kubernetes.io/serviceaccount/token /vault/secrets/token && ' +
                    'echo "$NS $POD_IP $GREETING" && cat /home/vault/config.json && echo $HOME',
                ],
                env: [
                  { name: 'NS', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } },
                  { name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
                  { name: 'GREETING', value: 'hello $(NS) $$(NS)' },
                  { name: 'VAULT_CONFIG', value: vaultConfig },
                ],
                volumeMounts: mounts,
                securityContext: { readOnlyRootFilesystem: true, runAsUser: 100 },
              },
            ],
            containers: [
              {
                name: 'my-app',
                image: 'my-app',
                env: [
                  { name: 'APP_FILE', value: '/etc/app/deep/text' },
                  { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'app', key: 'password' } } },
                ],
                volumeMounts: [...mounts, { name: 'from-secret', mountPath: '/etc/app', readOnly: true }],
              },
            ],
          },
        },
      },
    })
    const ref = { namespace: 'default', name: 'my-app' }
    const available = await eventually('available', async () => {
      const deployment = await cluster.client.get(deployments, ref)
      const condition = deployment?.status?.conditions?.find((c) => c.type === 'Available')
      return condition?.status === 'True' && deployment
    })
    expect(available.status).toMatchObject({ replicas: 1, readyReplicas: 1, availableReplicas: 1, updatedReplicas: 1 })
    const [pod] = (await cluster.client.list(pods, { namespace: 'default', labelSelector: 'app=my-app' })).items
    const name = pod?.metadata.name ?? ''
    expect(pod?.metadata.ownerReferences?.[0]?.kind).toBe('ReplicaSet')
    const log = await eventually('first line', async () => {
      const text = await cluster.logs(name, 'my-app')
      return text.includes('file:') && text
    })
    expect(log).toContain('file: one password: p4ss')
    const initLog = await cluster.logs(name, 'agent-init')
    expect(initLog).toContain('vault agent -config=')
    expect(initLog).toContain('vault token revoke -self')
    expect(initLog).toContain('default 127.0.0.1 hello default $(NS)')
    if (isolation === 'namespaces') expect(initLog).toContain('"/vault/secrets/config"')
    else expect(initLog).toContain(`"${dir}/pods/pods/${pod?.metadata.uid}/volumes/shared/config"`)
    expect(initLog.trim().endsWith(isolation === 'namespaces' ? '/home/vault' : '/volumes/home')).toBe(true)

    const [, payload = ''] = readFileSync(
      join(dir, 'pods/pods', pod?.metadata.uid ?? '', 'volumes/shared/token'),
      'utf8',
    ).split('.')
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'))
    expect(claims['kubernetes.io']).toMatchObject({ namespace: 'default', pod: { name, uid: pod?.metadata.uid } })

    await cluster.put(secrets, 'app', { password: base64('p4ss'), text: base64('two') })
    await eventually('second line', async () => (await cluster.logs(name, 'my-app')).includes('file: two'))
    expect(await cluster.logs(name, 'my-app', '&tailLines=1')).toBe('file: two password: p4ss\n')
    const reasons = (await cluster.client.list(events, { namespace: 'default' })).items
      .filter((e) => e.involvedObject.name === name)
      .map((e) => e.reason)
    for (const reason of ['Scheduled', 'Pulled', 'Created', 'Started']) expect(reasons).toContain(reason)
  })

  it('keeps what belongs to the host out of reach', async () => {
    if (isolation !== 'namespaces') return
    const check =
      'ls -d /home /work 2>&1; touch /usr/x /etc/x /x /bin/x 2>&1; ls /proc | grep -c "^[0-9]"; id -u; exit 0'
    await cluster.run('private', {
      restartPolicy: 'Never',
      containers: [
        {
          name: 'c',
          image: 'shell:1',
          command: ['/bin/sh', '-c', check],
          securityContext: { readOnlyRootFilesystem: true },
        },
      ],
    })
    await phaseIs('private', 'Succeeded')
    const log = await cluster.logs('private', 'c')
    for (const path of ['/home', '/work']) expect(log).toContain(`'${path}': No such file`)
    expect(log.match(/Read-only file system/g)?.length).toBe(4)
    expect(Number(log.trim().split('\n').at(-2))).toBeLessThan(8)
  })

  it('says what is missing, and starts when it comes', async () => {
    await cluster.run('waits', {
      containers: [
        {
          name: 'c',
          image: 'shell:1',
          args: ['echo got $VALUE; sleep 100'],
          command: ['/bin/sh', '-c'],
          env: [{ name: 'VALUE', valueFrom: { configMapKeyRef: { name: 'later', key: 'k' } } }],
        },
      ],
    })
    const waiting = await eventually('config error', async () => {
      const state = (await cluster.pod('waits'))?.status?.containerStatuses?.[0]?.state?.waiting
      return state?.message ? state : undefined
    })
    expect(waiting).toEqual({
      reason: 'CreateContainerConfigError',
      message: 'configmap "later" not found',
    })
    await cluster.put(configMaps, 'later', { k: 'v1' })
    await phaseIs('waits', 'Running')
    await eventually('its line', async () => (await cluster.logs('waits', 'c')).includes('got v1'))
    await cluster.client.delete(pods, { namespace: 'default', name: 'waits' }, { gracePeriodSeconds: 1 })
  })

  it('names an image that is mapped to nothing, and what it does not support', async () => {
    await cluster.run('nothing', { containers: [{ name: 'c', image: 'nginx:1' }] })
    await cluster.run('probed', {
      containers: [{ name: 'c', image: 'shell:1', livenessProbe: { exec: { command: ['true'] } } }],
    })
    const waiting = await eventually(
      'ErrImagePull',
      async () => (await cluster.pod('nothing'))?.status?.containerStatuses?.[0]?.state?.waiting?.message,
    )
    expect(waiting).toContain('no program is mapped to the image "nginx:1"')
    const refused = await eventually('refused', async () => {
      const { phase, containerStatuses } = (await cluster.pod('probed'))?.status ?? {}
      const waiting = containerStatuses?.[0]?.state?.waiting
      return waiting?.reason === 'Unsupported' && { phase, message: waiting.message }
    })
    // Not Failed: its ReplicaSet would replace it at once, for ever.
    expect(refused).toEqual({ phase: 'Pending', message: 'the pod runner does not support: container c: probes' })
    for (const name of ['nothing', 'probed']) await cluster.client.delete(pods, { namespace: 'default', name })
    await eventually('gone', async () => !(await cluster.pod('nothing')) && !(await cluster.pod('probed')))
  })

  it('a container that fails comes again, with its last state and the log of the run before', async () => {
    await cluster.run('crash', {
      containers: [{ name: 'c', image: 'shell:1', args: [], command: ['/bin/sh', '-c', 'echo run; exit 3'] }],
    })
    const crashed = await eventually('a second run', async () => {
      const status = (await cluster.pod('crash'))?.status?.containerStatuses?.[0]
      return (status?.restartCount ?? 0) >= 1 && status?.state?.waiting && status
    })
    expect(crashed.lastState?.terminated).toMatchObject({ exitCode: 3, reason: 'Error' })
    expect(crashed.state?.waiting?.reason).toBe('CrashLoopBackOff')
    expect(await cluster.logs('crash', 'c', '&previous=true')).toBe('run\n')
    await cluster.client.delete(pods, { namespace: 'default', name: 'crash' })
    await eventually('gone', async () => !(await cluster.pod('crash')))
  })

  it('ends a pod in order: preStop, SIGTERM, its last words; and kills what does not end in time', async () => {
    const volumes = [{ name: 'v', emptyDir: {} }]
    const volumeMounts = [{ name: 'v', mountPath: '/data' }]
    const script = "trap 'cat /data/hook; echo term; exit 0' TERM; echo up; while :; do sleep 0.05; done"
    const lifecycle = { preStop: { exec: { command: ['/bin/sh', '-c', 'echo hook > /data/hook'] } } }
    await cluster.run('orderly', {
      volumes,
      terminationGracePeriodSeconds: 10,
      containers: [{ name: 'c', image: 'shell:1', command: ['/bin/sh', '-c', script], volumeMounts, lifecycle }],
    })
    await cluster.run('stubborn', {
      containers: [
        { name: 'c', image: 'shell:1', command: ['/bin/sh', '-c', "trap '' TERM; echo up; while :; do sleep 1; done"] },
      ],
    })
    for (const name of ['orderly', 'stubborn'])
      await eventually(`${name} up`, async () => (await cluster.logs(name, 'c')).includes('up'))
    const path = '/api/v1/namespaces/default/pods/orderly/log?container=c&follow=true'
    const followed = cluster.client.raw({ method: 'GET', path })
    const started = Date.now()
    await cluster.client.delete(pods, { namespace: 'default', name: 'orderly' })
    await cluster.client.delete(pods, { namespace: 'default', name: 'stubborn' }, { gracePeriodSeconds: 1 })
    // The whole group is told to end, so the shell may speak of its sleep.
    expect((await followed).body.replace('Terminated\n', '')).toBe('up\nhook\nterm\n')
    await eventually('both gone', async () => !(await cluster.pod('orderly')) && !(await cluster.pod('stubborn')))
    expect(Date.now() - started).toBeGreaterThan(900)
  })

  it('a new template rolls out, scaling down and deletion end the processes', async () => {
    const ref = { namespace: 'default', name: 'my-app' }
    const patch = { spec: { replicas: 2, template: { metadata: { annotations: { rolled: 'yes' } } } } }
    const { metadata } = await cluster.client.patch(deployments, ref, { kind: 'merge', body: patch })
    await eventually('rolled out', async () => {
      const status = (await cluster.client.get(deployments, ref))?.status
      return (
        (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0) &&
        status?.updatedReplicas === 2 &&
        status.availableReplicas === 2 &&
        status.replicas === 2
      )
    })
    const all = await eventually('two pods', async () => {
      const found = (await cluster.client.list(pods, { namespace: 'default', labelSelector: 'app=my-app' })).items
      return found.length === 2 && found
    })
    expect(all.every((pod) => pod.metadata.annotations?.['rolled'] === 'yes')).toBe(true)
    await cluster.client.delete(deployments, ref)
    await eventually(
      'pods gone',
      async () =>
        (await cluster.client.list(pods, { namespace: 'default', labelSelector: 'app=my-app' })).items.length === 0,
    )
    if (canNamespaces) expect(processesOf(join(dir, 'build/app.cjs'))).toEqual([])
  })

  it.runIf(canNamespaces)(
    'SIGKILL of the runner leaves no process and no mount; the next runner starts the pods again',
    async () => {
      await cluster.run('survivor', {
        containers: [{ name: 'c', image: 'my-app', env: [{ name: 'APP_FILE', value: '/nothing' }] }],
      })
      await phaseIs('survivor', 'Running')
      await eventually('its process', () => processesOf('app.cjs').some((line) => line.includes(dir)))
      await cluster.stopRunner('SIGKILL')
      await eventually('no process', () => processesOf(dir).length === 0, 5000)
      expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain(dir)
      await cluster.startRunner()
      await eventually(
        'started again',
        async () => (await cluster.pod('survivor'))?.status?.containerStatuses?.[0]?.restartCount === 1,
      )
      await phaseIs('survivor', 'Running')
    },
  )

  it('ends in time when a pod is slow to end and the API server has gone', async () => {
    const other = new Cluster(isolation)
    await other.start()
    try {
      await other.startRunner()
      const args = ["trap '' TERM; echo ready; while :; do sleep 0.1; done"]
      const stubborn = { terminationGracePeriodSeconds: 120, containers: [{ name: 'c', image: 'shell:1', args }] }
      await other.run('stubborn', stubborn)
      await eventually('ready', async () => (await other.logs('stubborn', 'c')).includes('ready'))
      await other.client.delete(pods, { namespace: 'default', name: 'stubborn' })
      const told = () => other.client.list(events, { namespace: 'default' })
      await eventually('told to end', async () => (await told()).items.some((event) => event.reason === 'Killing'))
      await other.closeApi()
      const started = Date.now()
      await other.stopRunner('SIGTERM')
      expect(other.runner?.exitCode).toBe(0)
      expect(Date.now() - started).toBeLessThan(12_000)
      expect(existsSync(join(other.dir, 'pods/pods'))).toBe(false)
    } finally {
      await other.end()
    }
  })

  it.runIf(canNamespaces)('SIGTERM ends every pod and removes its folders', async () => {
    await eventually('its process', () => processesOf('app.cjs').some((line) => line.includes(dir)))
    await cluster.stopRunner('SIGTERM')
    expect(cluster.runner?.exitCode).toBe(0)
    expect(processesOf(dir)).toEqual([])
    expect(existsSync(join(dir, 'pods/pods'))).toBe(false)
    expect(existsSync(join(dir, 'pods/logs'))).toBe(false)
    const node = await cluster.client.get(nodes, { name: 'local' })
    expect(node?.status?.conditions?.find((c) => c.type === 'Ready')?.status).toBe('False')
    // Neither values nor tokens are in what the runner said.
    for (const canary of ['p4ss', 'admin-token', 'eyJ']) expect(cluster.output).not.toContain(canary)
  })
})
