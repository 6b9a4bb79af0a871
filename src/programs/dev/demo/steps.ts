/** The demo's steps in the order that a person sees them; step 1, the start of all parts, is programs/dev.ts itself. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { serviceAccounts, type TokenRequest } from '../../../kube/object-types.ts'
import { applyManifest } from '../apply.ts'
import { formatMs } from '../terminal.ts'
import { auditLines } from './audit-lines.ts'
import { type DemoContext, type DemoStep, StepFailed, until } from './context.ts'
import { addedLines, mendDeployment } from './mend.ts'
import { appPod, externalSecretConditions, podLog, syncedSecret } from './observe.ts'

const example = (context: DemoContext, name: string) =>
  readFileSync(join(context.environment.packageRoot, 'examples', name), 'utf8')

const timed = async <T>(context: DemoContext, work: () => Promise<T>): Promise<{ value: T; ms: number }> => {
  const started = context.clock.monotonic()
  const value = await work()
  return { value, ms: context.clock.monotonic() - started }
}

const prepareServer: DemoStep = {
  title: 'Secrets engine, login for pods, a policy and a first secret',
  async run(context) {
    const { vault, terminal } = context
    const { ms } = await timed(context, async () => {
      await vault.write('sys/mounts/secret', { type: 'kv', options: { version: '2' } })
      await vault.write('sys/auth/kubernetes', { type: 'kubernetes' })
      await applyManifest(context.cluster, example(context, 'demo/service-accounts.yaml'))
      await vault.write('auth/kubernetes/config', await kubernetesAuth(context))
      await vault.write('sys/policies/acl/my-app', { policy: example(context, 'demo/policy.hcl') })
      await vault.write('auth/kubernetes/role/my-app-role', {
        bound_service_account_names: ['default', 'my-app-sync'],
        bound_service_account_namespaces: [context.cluster.namespace],
        policies: ['my-app'],
        ttl: '1h',
      })
    })
    terminal.done('secret/ (KV version 2), auth/kubernetes/, policy my-app, role my-app-role', ms)
    const write = await timed(context, () => writeSecret(context))
    terminal.done('secret/my-app/config written: username, password', write.ms)
    terminal.hint(`. ${context.envFile} && ${context.command} kv get secret/my-app/config`)
  },
}

/** The server asks the cluster "whose token is this?" with a service account of its own. */
async function kubernetesAuth(context: DemoContext) {
  const { kube, systemNamespace } = context.cluster
  const reviewer = { namespace: systemNamespace, name: 'coffer-token-review' }
  const answer = await kube.post<TokenRequest>(serviceAccounts, reviewer, 'token', {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    metadata: {},
    spec: { audiences: [], expirationSeconds: 86_400 },
  })
  return {
    kubernetes_host: context.cluster.server,
    kubernetes_ca_cert: context.cluster.caPem,
    token_reviewer_jwt: answer.status?.token ?? '',
    disable_local_ca_jwt: true,
  }
}

export async function writeSecret(context: DemoContext): Promise<string> {
  const password = context.newPassword()
  await context.vault.write('secret/data/my-app/config', { data: { username: 'my-app', password } })
  return password
}

const syncIntoKubernetes: DemoStep = {
  title: 'External Secrets: the secret becomes a Kubernetes Secret',
  async run(context) {
    const { terminal, environment, cluster } = context
    const published = example(context, 'seed/external-secret.yaml')
    const externalSecret = cluster.servesBeta ? published : published.replace('io/v1beta1', 'io/v1')
    const version = cluster.servesBeta ? 'v1beta1, as published' : 'v1: this cluster serves no v1beta1'
    const { ms } = await timed(context, async () => {
      const store = example(context, 'demo/secret-store.yaml')
        .replace('${VAULT_ADDR}', environment.server.address)
        .replace('${CA_BUNDLE}', Buffer.from(environment.caCertPem).toString('base64'))
      await applyManifest(context.cluster, store)
      await applyManifest(context.cluster, externalSecret)
      await until(context, { what: 'ExternalSecret my-app-secrets Ready=True', part: 'controller' }, async () =>
        (await externalSecretConditions(context)).find((c) => c.type === 'Ready' && c.status === 'True'),
      )
    })
    const secret = await syncedSecret(context)
    if (!secret) throw new StepFailed('controller', 'Secret my-app-secrets has no key config')
    const owner = secret.object.metadata.ownerReferences?.[0]
    terminal.done(`ExternalSecret my-app-secrets (${version}) is Ready: SecretSynced`, ms)
    terminal.done(`Secret my-app-secrets has key config, owned by ${owner?.kind} ${owner?.name}`)
    terminal.hint(`. ${context.envFile} && ${cluster.kubectl} describe externalsecret my-app-secrets`)
  },
}

const injectIntoPod: DemoStep = {
  title: 'Injector: the same secret becomes a file in a pod',
  async run(context) {
    const { terminal } = context
    const seed = example(context, 'seed/deployment.yaml')
    const refusal = await applyManifest(context.cluster, seed).then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    )
    if (!refusal)
      throw new StepFailed('cluster', 'the Deployment without a selector was accepted, which no API server does')
    terminal.warn('the Deployment as published is refused by any API server, in its words:')
    terminal.detail(refusal)
    const mended = mendDeployment(seed, context.cluster.dedicatedNode)
    terminal.line(
      context.cluster.dedicatedNode
        ? '   the first two and the labels mend it, the others bring its pod to our node:'
        : '   these four lines mend it:',
    )
    terminal.detail(addedLines(seed, mended))
    const { value: pod, ms } = await timed(context, async () => {
      await applyManifest(context.cluster, mended)
      const running = await appPod(context)
      await until(context, { what: 'my-app to read /vault/secrets/config', part: 'workloads' }, async () =>
        (await podLog(context, running.metadata.name ?? '', 'my-app')).includes('my-app reads') ? true : undefined,
      )
      return running
    })
    const name = pod.metadata.name ?? ''
    terminal.done(
      `pod ${name}: mutated by the webhook, logged in with its own token, file rendered, application reads it`,
      ms,
    )
    terminal.detail((await podLog(context, name, 'my-app')).trimEnd())
    terminal.hint(`. ${context.envFile} && ${context.cluster.kubectl} logs ${name} -c my-app`)
  },
}

/** Writes a new value and tells when the file and the Secret had it, counted from the server's answer. */
export async function changeAndMeasure(context: DemoContext): Promise<void> {
  const pod = (await appPod(context)).metadata.name ?? ''
  const password = await writeSecret(context)
  const answered = context.clock.monotonic()
  const elapsed = () => context.clock.monotonic() - answered
  const [fileMs, secretMs] = await Promise.all([
    until(context, { what: 'the new value in the pod', part: 'workloads', withinMs: 10_000 }, async () =>
      (await podLog(context, pod, 'my-app')).includes(password) ? elapsed() : undefined,
    ),
    until(
      context,
      { what: 'the new value in Secret my-app-secrets', part: 'controller', withinMs: 10_000 },
      async () => ((await syncedSecret(context))?.config.includes(password) ? elapsed() : undefined),
    ),
  ])
  context.terminal.done(`secret changed -> file ${formatMs(fileMs)}, Secret ${formatMs(secretMs)}`)
}

/** With the server down both copies stay and say that they are stale. */
export async function stopServer(context: DemoContext): Promise<void> {
  const { terminal, server } = context
  const pod = (await appPod(context)).metadata.name ?? ''
  const before = (await syncedSecret(context))?.config
  // One that is still connecting would learn of the end by its next read only, which may be minutes away.
  await until(context, { what: 'the agent to follow changes', part: 'workloads' }, async () => {
    const said = (await podLog(context, pod, 'vault-agent')).split('\n')
    const last = said.findLast((line) => line.includes('tells of changes'))
    return last && !last.includes('no longer') ? true : undefined
  })
  const { ms } = await timed(context, async () => {
    await server.stop()
    const stale = await until(context, { what: 'ExternalSecret condition Stale=True', part: 'controller' }, async () =>
      (await externalSecretConditions(context)).find((c) => c.type === 'Stale' && c.status === 'True'),
    )
    const line = await until(context, { what: 'the agent to say "stale since"', part: 'workloads' }, async () =>
      (await podLog(context, pod, 'vault-agent')).split('\n').findLast((text) => text.includes('stale since')),
    )
    terminal.detail(`ExternalSecret  Stale=True  ${stale.reason}: ${stale.message}\nagent           ${line}`)
  })
  const after = (await syncedSecret(context))?.config
  if (before === undefined || after !== before)
    throw new StepFailed('controller', 'the Secret changed while the server was down')
  terminal.done('server stopped: the Secret and the file keep their values, and both say that they are stale', ms)
}

export async function startServer(context: DemoContext): Promise<void> {
  const { terminal, server } = context
  const pod = (await appPod(context)).metadata.name ?? ''
  const { ms } = await timed(context, async () => {
    await server.start()
    await until(context, { what: 'ExternalSecret fresh again', part: 'controller' }, async () => {
      const conditions = await externalSecretConditions(context)
      const stale = conditions.find((c) => c.type === 'Stale')
      return stale?.status !== 'True' && conditions.some((c) => c.type === 'Ready' && c.status === 'True')
        ? true
        : undefined
    })
    await until(context, { what: 'the agent to recover', part: 'workloads' }, async () => {
      const lines = (await podLog(context, pod, 'vault-agent')).split('\n')
      const stale = lines.findLastIndex((line) => line.includes('stale since'))
      return lines.slice(stale + 1).some((line) => line.includes('no longer stale')) ? true : undefined
    })
  })
  terminal.done('server started and unsealed: both recovered', ms)
}

/** What the audit view is about. */
export const demoPaths = ['secret/data/my-app/config', 'auth/kubernetes/login']

const followChanges: DemoStep = {
  title: 'A change, an outage, a recovery',
  async run(context) {
    await changeAndMeasure(context)
    context.terminal.hint(
      `. ${context.envFile} && ${context.command} kv put secret/my-app/config username=my-app password=hello`,
    )
    await stopServer(context)
    await startServer(context)
    await changeAndMeasure(context)
  },
}

const showAudit: DemoStep = {
  title: 'Audit: who read what, and when; no values',
  async run(context) {
    const started = context.clock.monotonic()
    const lines = auditLines(readFileSync(context.environment.server.auditFile, 'utf8'), demoPaths)
    if (lines.length === 0)
      throw new StepFailed('server', 'no audit line tells of secret/data/my-app/config or of a login')
    context.terminal.detail(lines.slice(-12).join('\n'))
    context.terminal.done(
      `${lines.length} accesses on record, the last ${Math.min(12, lines.length)} shown`,
      context.clock.monotonic() - started,
    )
    context.terminal.hint(`tail -n 2 ${context.environment.server.auditFile}`)
  },
}

export const steps: readonly DemoStep[] = [prepareServer, syncIntoKubernetes, injectIntoPod, followChanges, showAudit]
