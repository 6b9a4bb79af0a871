/**
 * A process of its own that outlives a killed supervisor: while the pipe on its standard input is open it only learns
 * what there is to clean up; when the pipe closes without "done" it ends what is left, removes what the run made in somebody's
 * cluster, and the run's folder.
 */
import { readFileSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { loadKubeConfig } from '../../kube/kubeconfig.ts'
import { createKubeClient } from '../../kube/rest-client.ts'
import type { Clock } from '../../lib/clock.ts'
import { silentLog } from '../../lib/log.ts'
import { systemRandom } from '../../lib/random.ts'

/** A process by id and start time, so that a recycled id is never signalled. */
interface Known {
  readonly pid: number
  readonly started: string | undefined
}

/** Field 22 of /proc/PID/stat (proc(5)): start time in clock ticks. Undefined where there is no /proc or no such process. */
export function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return undefined
  }
}

const alive = (known: Known): boolean => {
  try {
    process.kill(known.pid, 0)
  } catch {
    return false
  }
  return known.started === undefined || startTime(known.pid) === known.started
}

/** Signals the process's group (each child leads its own), or the process alone where there is no group of that id. */
export function signalGroup(pid: number, signal: NodeJS.Signals): void {
  for (const target of [-pid, pid]) {
    try {
      process.kill(target, signal)
      return
    } catch {
      // Gone, or not a group leader: try the process itself.
    }
  }
}

async function endAll(all: readonly Known[], clock: Clock): Promise<void> {
  // The children notice by themselves that the supervisor is gone and stop in order; a grace before any signal lets them.
  for (const [signal, graceMs] of [
    [undefined, 6_000],
    ['SIGTERM', 2_000],
    ['SIGKILL', 2_000],
  ] as const) {
    const left = all.filter(alive)
    if (left.length === 0) return
    if (signal) for (const known of left) signalGroup(known.pid, signal)
    const deadline = clock.monotonic() + graceMs
    while (clock.monotonic() < deadline && all.some(alive)) await clock.sleep(50)
  }
}

export interface ClusterToLeave {
  /** Of the janitor's own service account, which may delete this namespace and what holds it up, and nothing else. */
  readonly kubeconfig: string
  readonly namespace: string
}

const leaveWithinMs = 120_000

/** Not reached, or refused: the folder goes all the same; the next run on that cluster names what was left. */
async function leaveCluster({ kubeconfig, namespace }: ClusterToLeave, clock: Clock): Promise<void> {
  const { removeNamespace } = await import('./cluster/removal.ts')
  const read = (path: string) => readFile(path, 'utf8')
  const config = await loadKubeConfig({ path: kubeconfig, env: {}, clock, readFile: read })
  const kube = createKubeClient({
    config,
    clock,
    random: systemRandom,
    log: silentLog,
    userAgent: 'coffer-dev-janitor',
  })
  try {
    await removeNamespace(kube, clock, namespace, leaveWithinMs)
  } finally {
    await kube.close()
  }
}

const isCluster = (value: unknown): value is ClusterToLeave =>
  typeof value === 'object' && value !== null && 'kubeconfig' in value && 'namespace' in value

/** Lines on stdin: "pid N" for each child, "cluster {…}" for what is to leave, "done" when the supervisor has cleaned up itself. */
export async function runJanitor(dir: string, input: NodeJS.ReadableStream, clock: Clock): Promise<number> {
  const known: Known[] = []
  let done = false
  let cluster: ClusterToLeave | undefined
  for await (const line of createInterface({ input })) {
    const [word = ''] = line.split(' ')
    const value = line.slice(word.length + 1)
    if (word === 'pid') known.push({ pid: Number(value), started: startTime(Number(value)) })
    if (word === 'cluster') {
      const told: unknown = JSON.parse(value)
      if (isCluster(told)) cluster = told
    }
    if (word === 'done') done = true
  }
  if (!done) {
    await endAll(known, clock)
    if (cluster) await leaveCluster(cluster, clock).catch(() => {})
  }
  rmSync(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  return 0
}
