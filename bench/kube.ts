/**
 * Our Kubernetes client against a bare undici client that sends and parses the same bytes, on a real API server (1.34) in the
 * same run, one after the other, medians of five. Exits 1 beyond the limits. `--report` to only print. Without a built control
 * plane it is skipped, unless COFFER_REQUIRE contains `envtest`.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { KubeClient } from '../src/kube/client.ts'
import { bearer, fixedIdentity } from '../src/kube/credentials/credential-source.ts'
import { namespaces, type Secret, secrets } from '../src/kube/object-types.ts'
import { createKubeClient } from '../src/kube/rest-client.ts'
import { systemClock } from '../src/lib/clock.ts'
import { silentLog } from '../src/lib/log.ts'
import { systemRandom } from '../src/lib/random.ts'
import { findAssets, startControlPlane } from '../test/envtest/control-plane.ts'
import { type BareKube, createBareKube } from './bare-kube.ts'

const minor = '1.34'
const limits = { atLeast: 0.8, atMost: 1.2 }
const runs = 5
const attempts = process.argv.includes('--report') ? 1 : 4
const objects = 2000
const namespace = 'bench'
const many = `/api/v1/namespaces/${namespace}/secrets?labelSelector=set%3Dmany`
const path = (name: string) => `/api/v1/namespaces/${namespace}/secrets/${name}`
const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

const secretOf = (name: string, text: string, labels: Record<string, string> = {}): Secret => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace, labels },
  data: { value: Buffer.from(text.padEnd(768, 'x')).toString('base64') },
})

/** The same work by either client; resolves when it is done. */
interface Scenario {
  readonly name: string
  /** Operations of one run; absent: time counts, not throughput. */
  readonly operations?: number
  /** How often it is done in a run; once if absent. */
  readonly times?: number
  ours(client: KubeClient, run: number): Promise<void>
  bare(client: BareKube, run: number): Promise<void>
}

async function each(count: number, concurrency: number, work: (n: number) => Promise<unknown>): Promise<void> {
  let next = 0
  const worker = async () => {
    while (next < count) await work(next++)
  }
  await Promise.all(Array.from({ length: concurrency }, worker))
}

const getting = (name: string, operations: number, concurrency: number): Scenario => ({
  name,
  operations,
  ours: (client) => each(operations, concurrency, () => client.get(secrets, { namespace, name: 'many-0' })),
  bare: (client) => each(operations, concurrency, () => client.send('GET', path('many-0'))),
})

const applying = (name: string, operations: number, concurrency: number): Scenario => {
  // Every one changes something: an apply that changes nothing is another, cheaper thing.
  const object = (run: number, n: number, by: string) => secretOf(`applied-${n % concurrency}`, `${by}-${run}-${n}`)
  const options = { fieldManager: 'bench', force: true }
  const query = `?fieldManager=bench&force=true`
  return {
    name,
    operations,
    ours: (client, run) => each(operations, concurrency, (n) => client.apply(secrets, object(run, n, 'ours'), options)),
    bare: (client, run) =>
      each(operations, concurrency, (n) => {
        const body = object(run, n, 'bare')
        const target = path(body.metadata.name ?? '') + query
        return client.send('PATCH', target, JSON.stringify(body), 'application/apply-patch+yaml')
      }),
  }
}

const listing: Scenario = {
  name: `list of ${objects} in pages`,
  times: 10,
  async ours(client) {
    const { items } = await client.list(secrets, { namespace, labelSelector: 'set=many' })
    if (items.length !== objects) throw new Error(`${items.length} items`)
  },
  async bare(client) {
    const items: unknown[] = []
    for (let token: string | undefined = ''; token !== undefined; ) {
      const answer: unknown = await client.send('GET', `${many}&limit=500${token && `&continue=${token}`}`)
      const page = answer as { items: unknown[]; metadata: { continue?: string } }
      items.push(...page.items)
      token = page.metadata.continue
    }
    if (items.length !== objects) throw new Error(`${items.length} items`)
  },
}

const streamQuery = '&watch=true&allowWatchBookmarks=true&timeoutSeconds=300'
const initialQuery = `${many}${streamQuery}&sendInitialEvents=true&resourceVersionMatch=NotOlderThan`
const endsInitial = (frame: { object: { metadata: { annotations?: Readonly<Record<string, string>> } } }) =>
  frame.object.metadata.annotations?.['k8s.io/initial-events-end'] === 'true'

const streaming: Scenario = {
  name: `watch: the first ${objects}`,
  times: 5,
  async ours(client) {
    const stop = new AbortController()
    for await (const event of client.watch(secrets, { namespace, labelSelector: 'set=many' }, stop.signal)) {
      if (event.type === 'synced') stop.abort(new Error('done'))
    }
  },
  bare: (client) => client.watch(initialQuery, endsInitial),
}

/** From the first write of the writer to the last change seen; the writer is a process of its own. */
function following(writer: ChildProcess): Scenario {
  const begin = () => writer.send({ changes: objects })
  return {
    name: `watch: ${objects} changes`,
    async ours(client) {
      const stop = new AbortController()
      let seen = 0
      let synced = false
      for await (const event of client.watch(secrets, { namespace, labelSelector: 'set=many' }, stop.signal)) {
        if (event.type === 'synced') {
          synced = true
          begin()
        } else if (synced && ++seen === objects) stop.abort(new Error('done'))
      }
    },
    async bare(client) {
      let seen = 0
      let synced = false
      await client.watch(initialQuery, (frame) => {
        if (frame.type === 'BOOKMARK') {
          if (endsInitial(frame) && !synced) begin()
          synced ||= endsInitial(frame)
          return false
        }
        return synced && ++seen === objects
      })
    },
  }
}

interface Sample {
  readonly ms: number
  readonly cpuMs: number
}
type Samples = Map<string, { ours: Sample[]; bare: Sample[] }>

async function sample(times: number, work: () => Promise<void>): Promise<Sample> {
  await nextTurn()
  const cpu = process.cpuUsage()
  const start = performance.now()
  for (let i = 0; i < times; i += 1) await work()
  const ms = (performance.now() - start) / times
  const { user, system } = process.cpuUsage(cpu)
  return { ms, cpuMs: (user + system) / 1000 / times }
}

/** Steady state is measured: V8 compiles the hot path during the first seconds of each kind of request. */
async function warmUp(scenario: Scenario, clients: { ours: KubeClient; bare: BareKube }): Promise<void> {
  const end = performance.now() + 6000
  for (let run = -1; performance.now() < end; run -= 1) {
    await scenario.ours(clients.ours, run)
    await scenario.bare(clients.bare, run)
  }
}

async function measure(
  scenarios: readonly Scenario[],
  clients: { ours: KubeClient; bare: BareKube },
  first: number,
  count: number,
): Promise<Samples> {
  const samples: Samples = new Map(scenarios.map(({ name }) => [name, { ours: [], bare: [] }]))
  for (let run = first; run < first + count; run += 1) {
    for (const scenario of scenarios) {
      const ours = () =>
        sample(scenario.times ?? 1, () => scenario.ours(clients.ours, run)).then((s) =>
          samples.get(scenario.name)?.ours.push(s),
        )
      const bare = () =>
        sample(scenario.times ?? 1, () => scenario.bare(clients.bare, run)).then((s) =>
          samples.get(scenario.name)?.bare.push(s),
        )
      // Who comes second finds a warmer server: in turns.
      for (const one of run % 2 === 0 ? [ours, bare] : [bare, ours]) await one()
    }
  }
  return samples
}

function report(scenarios: readonly Scenario[], samples: Samples): boolean {
  console.log(
    `  ${'median of 5 runs'.padEnd(26)} ${'ours'.padStart(11)} ${'bare'.padStart(11)}  ratio  limit      CPU ours / bare`,
  )
  let ok = true
  for (const { name, operations } of scenarios) {
    const { ours = [], bare = [] } = samples.get(name) ?? {}
    const [ourMs, bareMs] = [median(ours.map((s) => s.ms)), median(bare.map((s) => s.ms))]
    const [ourCpu, bareCpu] = [median(ours.map((s) => s.cpuMs)), median(bare.map((s) => s.cpuMs))]
    const shown = (ms: number) => (operations ? `${((operations * 1000) / ms).toFixed(0)}/s` : `${ms.toFixed(0)} ms`)
    const cpu = (ms: number) => (operations ? `${((ms * 1000) / operations).toFixed(0)} µs` : `${ms.toFixed(0)} ms`)
    const ratio = operations ? bareMs / ourMs : ourMs / bareMs
    const good = operations ? ratio >= limits.atLeast : ratio <= limits.atMost
    ok &&= good
    const limit = operations ? `>= ${limits.atLeast}` : `<= ${limits.atMost}`
    console.log(
      `  ${name.padEnd(26)} ${shown(ourMs).padStart(11)} ${shown(bareMs).padStart(11)}  ${ratio.toFixed(2).padStart(5)}  ${limit} ${good ? 'ok  ' : 'FAIL'}  ${cpu(ourCpu)} / ${cpu(bareCpu)}`,
    )
  }
  return ok
}

interface Server {
  readonly server: string
  readonly caPem: string
  readonly token: string
}

const ourClient = ({ server, caPem, token }: Server): KubeClient =>
  createKubeClient({
    config: { server, caPem, namespace, credentials: fixedIdentity({ headers: bearer(token) }) },
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  })

/** The process that writes: changes each Secret once whenever it is told how many there are. */
function runWriter(): void {
  let client: KubeClient | undefined
  let round = 0
  process.on('message', (message: Server | { changes: number }) => {
    if ('server' in message) {
      client = ourClient(message)
      return
    }
    round += 1
    const body = { metadata: { annotations: { round: `${round}` } } }
    void each(message.changes, 8, async (n) =>
      client?.patch(secrets, { namespace, name: `many-${n}` }, { kind: 'merge', body }),
    )
  })
}

async function compare(server: Server, writer: ChildProcess): Promise<boolean> {
  const clients = { ours: ourClient(server), bare: createBareKube(server) }
  const scenarios = [
    getting('GET, one at a time', 1000, 1),
    getting('GET, 32 at a time', 4000, 32),
    applying('apply, one at a time', 300, 1),
    applying('apply, 16 at a time', 800, 16),
    listing,
    streaming,
    following(writer),
  ]
  try {
    const made = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }
    await clients.ours.create(namespaces, made)
    await each(objects, 16, (n) => clients.ours.create(secrets, secretOf(`many-${n}`, `${n}`, { set: 'many' })))
    for (const scenario of scenarios) await warmUp(scenario, clients)
    // These machines are shared: another's load can only spoil a measurement, so a bad one is repeated, and every one is printed.
    for (let attempt = 1; attempt <= attempts; attempt += 1) {
      if (report(scenarios, await measure(scenarios, clients, attempt * runs, runs))) return true
      if (attempt < attempts) console.log(`  beyond a limit: measured again (${attempt} of ${attempts - 1})`)
    }
    return false
  } finally {
    await Promise.all([clients.ours.close(), clients.bare.close()])
  }
}

async function main(): Promise<boolean> {
  const assets = findAssets(minor)
  if (typeof assets === 'string') {
    const required = (process.env['COFFER_REQUIRE'] ?? '').split(',').includes('envtest')
    console.log(`${required ? 'FAIL' : 'skipped'}: bench/kube: ${assets}`)
    return !required
  }
  const plane = await startControlPlane({ minor, controllers: false })
  const writer = fork(import.meta.filename, ['--writer'], { execArgv: process.execArgv })
  try {
    console.log(`Our Kubernetes client and a bare undici client on kube-apiserver ${plane.version}, Secrets of 1 KB`)
    const server = { server: plane.address, caPem: plane.ca.certPem, token: plane.token }
    writer.send(server)
    return await compare(server, writer)
  } finally {
    writer.kill('SIGTERM')
    if (writer.exitCode === null && writer.signalCode === null) await once(writer, 'exit')
    await plane.stop()
  }
}

if (process.argv.includes('--writer')) runWriter()
else process.exitCode = (await main()) || process.argv.includes('--report') ? 0 : 1
