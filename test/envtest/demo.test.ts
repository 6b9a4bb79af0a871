/** `coffer dev --kubeconfig`: the demo's steps on a real control plane, which is left as it was found. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { customResourceDefinitions as definitions } from '../../src/controller/crds/definitions.ts'
import type { KubeClient, KubeObject } from '../../src/kube/client.ts'
import {
  customResourceDefinitions,
  deployments,
  mutatingWebhookConfigurations,
  namespaces,
  nodes,
} from '../../src/kube/object-types.ts'
import { program } from '../../src/programs/dev.ts'
import { type DevRun, eventually, mountsBelow, processesOf, runDev } from '../e2e/dev-run.ts'
import { root } from '../e2e/server-process.ts'
import { adminClient, allObjects, settledObjects } from './resources.ts'

const { kubeconfig, kubectl: kubectlPath, address } = inject('controlPlane')
const scratch = mkdtempSync(join(tmpdir(), 'coffer-demo-real-'))
let kube: KubeClient
let before: string[]

beforeAll(async () => {
  // As `npm test` does; the suite of a real control plane has no build of its own.
  execFileSync(process.execPath, [join(root, 'scripts/build.mjs'), '--if-stale'])
  kube = await adminClient()
  before = await settledObjects(kube)
})
afterAll(async () => {
  await kube.close()
  rmSync(scratch, { recursive: true, force: true })
})

const run = (name: string, args: readonly string[], env: Record<string, string> = {}) =>
  runDev(scratch, name, ['--kubeconfig', kubeconfig, ...args], env)
const namespaceOf = ({ text }: DevRun) => /coffer-dev-[0-9a-f]{8}/.exec(text())?.[0] ?? 'none'
const kubectl = (...args: string[]) =>
  execFileSync(kubectlPath, ['--kubeconfig', kubeconfig, ...args], { encoding: 'utf8', stdio: 'pipe' })

/** The cluster has what it had before; the machine has nothing of the run. */
async function expectNothingLeft(of: DevRun): Promise<void> {
  await eventually('the cluster is as before', 60_000, async () => {
    const now = await allObjects(kube)
    return now.length === before.length && now.every((name, i) => name === before[i])
  }).catch(async () => expect(await allObjects(kube)).toEqual(before))
  expect(readdirSync(of.dir)).toEqual([])
  expect(readdirSync(of.home)).toEqual([])
  expect(processesOf(of.dir)).toEqual([])
}

describe('the demo on a real control plane', () => {
  it('passes all its steps, says first where it is, and leaves nothing behind', async () => {
    const demo = run('whole', ['--demo', '--exit'])
    expect(await demo.ended, demo.text()).toBe(0)
    const text = demo.text()
    expect(text.indexOf('context     envtest')).toBeLessThan(text.indexOf('1. Server'))
    expect(text).toContain(`API server  ${address}`)
    expect(text).toMatch(/secret changed -> file .*, Secret /)
    expect(text).toContain('Stale=True')
    expect(text).toContain('spec.selector: Required value')
    expect(text).toContain('owned by ExternalSecret my-app-secrets')
    expect(text).toMatch(/mutated by the webhook, logged in with its own token/)
    // The cluster's own signer gave the certificate for logs.
    expect(text).not.toContain('is not the cluster')
    expect(text).toMatch(/namespace coffer-dev-\S+ and all of this run removed/)
    await expectNothingLeft(demo)
  })

  it('SIGKILL of the parent leaves no object, process, mount or folder; two runs share the definitions', async () => {
    const [killed, other] = [run('killed', ['--demo']), run('other', ['--demo'])]
    await Promise.all([killed.up(), other.up()])
    const namespace = namespaceOf(killed)
    expect(kubectl('-n', namespace, 'logs', 'deployment/my-app', '-c', 'my-app')).toContain(
      'my-app reads /vault/secrets/config',
    )
    expect(kubectl('-n', namespace, 'logs', 'deployment/my-app', '-c', 'vault-agent-init')).not.toBe('')
    const node = await kube.get(nodes, { name: namespace })
    expect(node?.spec?.taints).toContainEqual({ key: 'coffer.dev/pod-runner', value: 'true', effect: 'NoSchedule' })
    expect(node?.metadata.labels).toHaveProperty(['node.kubernetes.io/exclude-from-external-load-balancers'])
    killed.child.kill('SIGKILL')
    await killed.ended
    await eventually('its namespace goes', 60_000, async () => !(await kube.get(namespaces, { name: namespace })))
    await eventually('its Node goes', 20_000, async () => !(await kube.get(nodes, { name: namespace })))
    await eventually('its processes end', 20_000, () => processesOf(killed.dir).length === 0)
    await eventually('its folder goes', 20_000, () => readdirSync(killed.dir).length === 0)
    expect(mountsBelow(killed.dir)).toEqual([])
    // The other run needs them still, and knows whose they were.
    const shared = { name: 'externalsecrets.external-secrets.io' }
    const owners = async () => (await kube.get(customResourceDefinitions, shared))?.metadata.ownerReferences ?? []
    await eventually('one owner', 20_000, async () => (await owners()).length === 1)
    expect((await owners())[0]?.name).toBe(namespaceOf(other))
    expect(kubectl('-n', namespaceOf(other), 'get', 'externalsecret', 'my-app-secrets')).toContain('SecretSynced')
    other.child.kill('SIGINT')
    expect(await other.ended, other.text()).toBe(0)
    await expectNothingLeft(other)
  })

  it('when nobody is left, not even the janitor, the commands that the next run names remove everything', async () => {
    const dead = run('dead', ['--demo'])
    await dead.up()
    for (const line of processesOf(dead.dir)) execFileSync('sh', ['-c', `kill -9 ${line.split(' ')[0]} || :`])
    await dead.ended
    const next = run('next', [])
    await next.up()
    const command = /if it is dead: (.*)/.exec(next.text())?.[1] ?? 'false'
    next.child.kill('SIGINT')
    expect(await next.ended, next.text()).toBe(0)
    const PATH = `${dirname(kubectlPath)}:${process.env['PATH']}`
    execFileSync('sh', ['-c', command], {
      env: { PATH, KUBECONFIG: kubeconfig, HOME: scratch },
      stdio: 'pipe',
      timeout: 150_000,
    })
    await eventually('as before', 60_000, async () => (await allObjects(kube)).join() === before.join())
  }, 300_000)

  it('Ctrl-C while the cluster is looked at ends it before anything is written', async () => {
    const said = new PassThrough()
    const io = {
      ...{ stdin: new PassThrough(), stdout: said, stderr: said, env: {}, cwd: scratch },
      ...{ stop: AbortSignal.abort(new Error('SIGINT')), onReload: () => {} },
    }
    expect(await program.run(['--kubeconfig', kubeconfig], io)).toBe(1)
    expect(String(said.read())).toContain('stopped: nothing was written')
    expect(await allObjects(kube)).toEqual(before)
  })

  it('a deleted namespace ends the run and takes everything along', async () => {
    const lost = run('lost', [])
    await lost.up()
    await kube.delete(namespaces, { name: namespaceOf(lost) })
    expect(await lost.ended).toBe(1)
    await expectNothingLeft(lost)
  })

  it('beside ready nodes it asks first, and its pod says where it wants to be', async () => {
    await kube.create(nodes, {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'somebodys' },
      status: { conditions: [{ type: 'Ready', status: 'True', reason: 'Test' }] },
    } as KubeObject)
    try {
      const with_ = await allObjects(kube)
      const silent = run('silent', [])
      expect(await silent.ended).toBe(1)
      expect(silent.text()).toContain('(context envtest): it has 1 node; there is no terminal to ask at: give --yes')
      const ci = run('ci', [], { CI: 'true' })
      expect(await ci.ended).toBe(1)
      expect(ci.text()).toContain('with CI=true nobody is asked: give --yes if it is meant')
      expect(await allObjects(kube)).toEqual(with_)
      const demo = run('named', ['--demo', '--exit', '--yes', '--context', 'envtest'])
      expect(await demo.ended, demo.text()).toBe(0)
      expect(demo.text()).toMatch(/\+ {7}nodeSelector: \{kubernetes.io\/hostname: coffer-dev-/)
      expect(demo.text()).toMatch(/\+ {7}tolerations: \[\{key: coffer.dev\/pod-runner/)
    } finally {
      await kube.delete(nodes, { name: 'somebodys' })
    }
    await eventually('as before', 60_000, async () => (await allObjects(kube)).join() === before.join())
  })

  it('definitions that are somebody else’s are used as they are, also without v1beta1', async () => {
    const foreign: KubeObject[] = []
    for (const definition of definitions()) {
      const versions = (definition['spec'] as any).versions.map((one: any) => ({ ...one, served: one.name === 'v1' }))
      foreign.push({ ...definition, spec: { ...(definition['spec'] as any), versions } })
    }
    for (const one of foreign) await kube.create(customResourceDefinitions, one)
    const identity = async () =>
      Promise.all(
        foreign.map(async ({ metadata: { name = '' } }) => {
          const found = await kube.get(customResourceDefinitions, { name })
          return [
            found?.metadata.uid,
            found?.metadata.generation,
            found?.metadata.ownerReferences,
            found?.metadata.labels,
          ]
        }),
      )
    try {
      const was = await identity()
      const demo = run('foreign', ['--demo', '--exit'])
      expect(await demo.ended, demo.text()).toBe(0)
      expect(demo.text()).toContain('v1: this cluster serves no v1beta1')
      expect(demo.text()).toContain('used as they are')
      expect(await identity()).toEqual(was)
    } finally {
      for (const { metadata } of foreign) await kube.delete(customResourceDefinitions, { name: metadata.name ?? '' })
    }
    await eventually('as before', 60_000, async () => (await allObjects(kube)).join() === before.join())
  })

  it('an injector or a controller that is there already is named, with what to do', async () => {
    const clientConfig = { url: 'https://127.0.0.1:1/mutate' }
    const rules = [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }]
    const webhook = {
      name: 'vault.hashicorp.com',
      clientConfig,
      rules,
      sideEffects: 'None',
      admissionReviewVersions: ['v1'],
    }
    const configuration = { name: 'vault-agent-injector-cfg' }
    await kube.create(mutatingWebhookConfigurations, {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'MutatingWebhookConfiguration',
      metadata: configuration,
      webhooks: [{ ...webhook, failurePolicy: 'Ignore' }],
    } as KubeObject)
    try {
      const refused = run('injector', [])
      expect(await refused.ended).toBe(1)
      expect(refused.text()).toContain('MutatingWebhookConfiguration vault-agent-injector-cfg has the webhook')
      expect(refused.text()).toContain('Keep it away with a namespaceSelector')
    } finally {
      await kube.delete(mutatingWebhookConfigurations, configuration)
    }
    const ref = { namespace: 'default', name: 'external-secrets' }
    const labels = { app: 'eso' }
    const container = { name: 'eso', image: 'ghcr.io/external-secrets/external-secrets:v1.0.0' }
    await kube.create(deployments, {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: ref,
      spec: {
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [container] } },
      },
    } as KubeObject)
    try {
      const refused = run('controller', [])
      expect(await refused.ended).toBe(1)
      expect(refused.text()).toContain('Deployment default/external-secrets is an External Secrets controller')
    } finally {
      await kube.delete(deployments, ref, { propagationPolicy: 'Foreground' })
    }
    await eventually('as before', 60_000, async () => (await allObjects(kube)).join() === before.join())
  })
})
