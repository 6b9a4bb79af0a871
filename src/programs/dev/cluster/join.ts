/** Makes in somebody's cluster what a run needs, in an order that a killed run can be cleaned up after at every point. */
import { writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { leases } from '../../../devcluster/workloads/runner/node/node-lease.ts'
import {
  apiServerClientCa,
  requestServingCertificate,
} from '../../../devcluster/workloads/runner/node/serving-certificate.ts'
import type { KubeClient, KubeObject } from '../../../kube/client.ts'
import {
  type MutatingWebhookConfiguration,
  mutatingWebhookConfigurations,
  namespaces,
  nodes,
  serviceAccounts,
} from '../../../kube/object-types.ts'
import type { Clock } from '../../../lib/clock.ts'
import { applyObject } from '../apply.ts'
import type { Environment } from '../environment.ts'
import { shellWord } from '../shell-file.ts'
import type { Supervisor } from '../supervisor.ts'
import type { Terminal } from '../terminal.ts'
import { applyDefinitions } from './definitions.ts'
import type { DevCluster } from './dev-cluster.ts'
import { Identities } from './identities.ts'
import { placeIn } from './placement.ts'
import type { GivenCluster } from './preflight/given.ts'
import { startedAnnotation } from './preflight/others.ts'
import { removeNamespace, waitAllGone } from './removal.ts'
import { leaseOf, nodeOf, nodeRole, type partsWithAccounts, rolesOf, serviceAccountOf, webhookOf } from './roles.ts'
import { labelsOf, type RunMarks, runLabel, runName } from './run-marks.ts'

const settleMs = 30_000
const signedWithinMs = 10_000
const removedWithinMs = 90_000

export interface JoinOptions {
  readonly given: GivenCluster
  readonly environment: Environment
  readonly supervisor: Supervisor
  readonly terminal: Terminal
  readonly clock: Clock
}

export class JoinedCluster {
  readonly #options: JoinOptions
  #marks: RunMarks | undefined
  #identities: Identities | undefined
  #joining: Promise<DevCluster> | undefined
  readonly #leaving = new AbortController()

  constructor(options: JoinOptions) {
    this.#options = options
  }

  join(): Promise<DevCluster> {
    this.#joining = this.#join(this.#leaving.signal)
    return this.#joining
  }

  async #join(leaving: AbortSignal): Promise<DevCluster> {
    const { given, environment, supervisor, clock } = this.#options
    const { kube } = given
    const marks = await this.#makeNamespace()
    await settled(kube, clock, marks, leaving)
    const dir = join(environment.dir, 'cluster')
    const identities = new Identities({
      ...this.#options,
      kube,
      config: given.config,
      namespace: marks.name,
      dir,
      onProblem: (message) => this.#options.terminal.warn(message),
    })
    this.#identities = identities
    leaving.throwIfAborted()
    // From here on a killed run is cleaned up after.
    await this.#account(marks, 'janitor')
    supervisor.tellJanitor({ kubeconfig: await identities.kubeconfigOf('janitor'), namespace: marks.name })
    const [, , logTls] = await Promise.all([
      applyDefinitions({ kube, clock, marks, foreign: given.definitions.foreign, signal: leaving }),
      Promise.all([this.#account(marks, 'controller'), this.#account(marks, 'workloads'), this.#node(marks)]),
      this.#logTls(marks, dir),
    ])
    const [controller, workloads] = [
      await identities.kubeconfigOf('controller'),
      await identities.kubeconfigOf('workloads'),
    ]
    return this.#cluster(marks, { controller, workloads, logTls })
  }

  /** Everything of the run goes; throws with what could not be seen to go. False: there was nothing yet. */
  async leave(): Promise<boolean> {
    const { given, clock } = this.#options
    // Another part may have failed while we were at it: what is made after the end would stay.
    this.#leaving.abort(new Error('the run ends'))
    const joined = await this.#joining?.then(
      () => true,
      () => false,
    )
    this.#identities?.close()
    const marks = this.#marks ?? (joined === false ? await this.#unanswered() : undefined)
    if (!marks) return false
    await removeNamespace(given.kube, clock, marks.name, removedWithinMs)
    await waitAllGone(given.kube, clock, marks, removedWithinMs)
    return true
  }

  get namespace(): string {
    return runName(this.#options.given.runId)
  }

  async #makeNamespace(): Promise<RunMarks> {
    const { given } = this.#options
    const { runId: id } = given
    const name = runName(id)
    const annotations = { [startedAnnotation]: `process ${process.pid} on ${hostname()}` }
    const metadata = { name, labels: labelsOf({ id }), annotations }
    this.#leaving.signal.throwIfAborted()
    const made = await given.kube.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata })
    this.#marks = marksOf(id, made)
    return this.#marks
  }

  /** The namespace, where it was made and the answer did not arrive. */
  async #unanswered(): Promise<RunMarks | undefined> {
    const { kube, runId } = this.#options.given
    const found = await kube.get(namespaces, { name: this.namespace })
    return found?.metadata.labels?.[runLabel] === runId ? marksOf(runId, found) : undefined
  }

  async #account(marks: RunMarks, part: (typeof partsWithAccounts)[number]): Promise<void> {
    const { kube } = this.#options.given
    for (const object of [serviceAccountOf(marks, part), ...rolesOf(marks, part)]) await applyObject(kube, object)
  }

  /** The runner may change its own Node and Lease, not make any. */
  async #node(marks: RunMarks): Promise<void> {
    const { kube } = this.#options.given
    for (const object of nodeRole(marks)) await applyObject(kube, object)
    const node = await kube.create(nodes, nodeOf(marks))
    await kube.create(leases, leaseOf(marks, node.metadata.uid ?? ''))
  }

  /** Files for the runner's log server. Not signed by the cluster: our own CA's, which most API servers accept from kubelets. */
  async #logTls(marks: RunMarks, dir: string): Promise<readonly string[]> {
    const { given, environment, clock, terminal } = this.#options
    const { kube, address } = given
    const metadata = { labels: labelsOf(marks), ownerReferences: [marks.owner] }
    const request = {
      client: kube,
      clock,
      nodeName: marks.name,
      hostIp: address.ip,
      metadata,
      withinMs: signedWithinMs,
    }
    const signed = await requestServingCertificate(request)
    if ('problem' in signed)
      terminal.warn(
        `the pod runner's certificate is not the cluster's: ${signed.problem}. kubectl logs works only where the API server does not check kubelets' certificates`,
      )
    const pair = 'problem' in signed ? environment.nodeCertificate : signed
    const clientCa = (await apiServerClientCa(kube)) ?? given.caPem
    const file = (name: string, text: string) => {
      writeFileSync(join(dir, name), text, { mode: 0o600 })
      return join(dir, name)
    }
    return [
      ...['--tls-cert-file', file('kubelet.crt', pair.certPem)],
      ...['--tls-private-key-file', file('kubelet.key', pair.keyPem)],
      ...['--client-ca-file', file('client-ca.crt', clientCa)],
    ]
  }

  #cluster(marks: RunMarks, parts: { controller: string; workloads: string; logTls: readonly string[] }): DevCluster {
    const { given, environment } = this.#options
    const { kube, config, address, context } = given
    const host = address.ip.includes(':') ? `[${address.ip}]` : address.ip
    const { certFile, keyFile } = environment.injectorFiles
    return {
      kube,
      server: config.server,
      caPem: given.caPem,
      kubeconfig: given.kubeconfig,
      kubectl: `kubectl --context ${shellWord(context)} -n ${marks.name}`,
      namespace: marks.name,
      systemNamespace: marks.name,
      arguments: {
        workloads: [
          ...['--kubeconfig', parts.workloads, '--namespace', marks.name, '--node-name', marks.name],
          ...['--host-ip', address.ip, '--no-controllers', ...parts.logTls],
        ],
        controller: ['--kubeconfig', parts.controller, '--namespace', marks.name],
        injector: [`-listen=${host}:0`, `-tls-cert-file=${certFile}`, `-tls-key-file=${keyFile}`],
      },
      servesBeta: given.definitions.servesBeta,
      dedicatedNode: given.readyNodes > 0 ? marks.name : undefined,
      place: placeIn(marks),
      registerWebhook: async (at) => {
        const configuration = webhookOf(marks, at, environment.caCertPem)
        await kube.create<MutatingWebhookConfiguration>(mutatingWebhookConfigurations, configuration)
      },
    }
  }
}

function marksOf(id: string, namespace: KubeObject): RunMarks {
  const name = runName(id)
  return { id, name, owner: { apiVersion: 'v1', kind: 'Namespace', name, uid: namespace.metadata.uid ?? '' } }
}

/** A namespace is usable when the controller manager has been at it. */
async function settled(kube: KubeClient, clock: Clock, marks: RunMarks, signal: AbortSignal): Promise<void> {
  const deadline = clock.monotonic() + settleMs
  while (!(await kube.get(serviceAccounts, { namespace: marks.name, name: 'default' }))) {
    if (clock.monotonic() > deadline)
      throw new Error(
        `no service account "default" came to be in namespace ${marks.name} within ${settleMs / 1000} s: this cluster has no controller manager; for the embedded one leave out --kubeconfig`,
      )
    await clock.sleep(50, signal)
  }
}
