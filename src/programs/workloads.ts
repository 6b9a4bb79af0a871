/** `coffer workloads`: Deployments and pods of the development cluster, as local processes. Never for production. */

import { realpathSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { runDeploymentController } from '../devcluster/workloads/deployments/deployment-controller.ts'
import { readImageMap } from '../devcluster/workloads/runner/images.ts'
import { chooseIsolation } from '../devcluster/workloads/runner/isolation/probe.ts'
import { PodRunner } from '../devcluster/workloads/runner/pod-runner.ts'
import { type KubeConfig, loadKubeConfig } from '../kube/kubeconfig.ts'
import { createKubeClient } from '../kube/rest-client.ts'
import { systemClock } from '../lib/clock.ts'
import type { Logger } from '../lib/log.ts'
import { systemRandom } from '../lib/random.ts'
import type { Program, ProgramIo } from './program.ts'
import { createLogger } from './server/logger.ts'
import { announceReady } from './server/ready.ts'

const usage = `Usage: coffer workloads --kubeconfig FILE --dir DIR --images FILE [flags]

Makes pods of Deployments and runs pods as local processes, for the development cluster.

  --kubeconfig FILE             the cluster and who we are there
  --dir DIR                     where pods have their files; what is left of an earlier run is removed
  --images FILE                 JSON: image -> {"command": [...], "args", "env", "mounts", "workingDir"} or {"agent": true}
  --build DIR                   holds coffer.js and bin/vault (default: where this program is)
  --node-name NAME              (default: the host's name)
  --tls-cert-file FILE          certificate and key of the log server, signed by the cluster's CA
  --tls-private-key-file FILE   (default: kubelet.crt and kubelet.key beside the kubeconfig file)

Environment: COFFER_POD_ISOLATION=namespaces|none
`

/** The supervisor waits 12 s. */
const stopGraceMs = 5000

interface Settings {
  readonly kubeconfig: string
  readonly dir: string
  readonly images: string
  readonly build: string
  readonly nodeName: string
  readonly certFile: string
  readonly keyFile: string
}

export const program: Program = {
  async run(args, io) {
    if (args.includes('--help')) {
      io.stdout.write(usage)
      return 0
    }
    const settings = settingsOf(args, io)
    if (typeof settings === 'string') {
      io.stderr.write(`${settings}\n${usage}`)
      return 1
    }
    const log = createLogger({ level: 'info', name: 'workloads', write: (line) => void io.stderr.write(line) })
    try {
      await serve(settings, io, log)
      return 0
    } catch (error) {
      log.error('workloads.failed', { error: error instanceof Error ? error.message : String(error) })
      return 1
    }
  },
}

function settingsOf(args: readonly string[], io: ProgramIo): Settings | string {
  const text = { type: 'string' as const }
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        kubeconfig: text,
        dir: text,
        images: text,
        build: text,
        'node-name': text,
        'tls-cert-file': text,
        'tls-private-key-file': text,
      },
    })
    const { kubeconfig, dir, images } = values
    if (!kubeconfig || !dir || !images) return '--kubeconfig, --dir and --images are needed'
    const beside = dirname(resolve(io.cwd, kubeconfig))
    return {
      kubeconfig: resolve(io.cwd, kubeconfig),
      dir: resolve(io.cwd, dir),
      images: resolve(io.cwd, images),
      build: resolve(io.cwd, values.build ?? dirname(realpathSync(process.argv[1] ?? '.'))),
      nodeName: (values['node-name'] ?? hostname()).toLowerCase(),
      certFile: resolve(io.cwd, values['tls-cert-file'] ?? join(beside, 'kubelet.crt')),
      keyFile: resolve(io.cwd, values['tls-private-key-file'] ?? join(beside, 'kubelet.key')),
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

async function serve(settings: Settings, io: ProgramIo, log: Logger): Promise<void> {
  const shared = { clock: systemClock, random: systemRandom, log }
  const read = (path: string) => readFile(path, 'utf8')
  const images = readImageMap(await read(settings.images))
  const config = await loadKubeConfig({ path: settings.kubeconfig, env: io.env, clock: systemClock, readFile: read })
  await mkdir(settings.dir, { recursive: true, mode: 0o700 })
  const dir = realpathSync(settings.dir)
  const provided = { node: realpathSync(process.execPath), buildDir: settings.build }
  const isolation = await chooseIsolation({
    ...provided,
    dir,
    hostPath: io.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin',
    platform: process.platform,
    forced: io.env['COFFER_POD_ISOLATION'],
    log,
  })
  log.info('isolation.chosen', { isolation: isolation.kind })
  const client = createKubeClient({ ...shared, config, userAgent: 'coffer-workloads' })
  const kubelet = await logServerTls(settings, config, log)
  const runner = new PodRunner({
    ...shared,
    ...(kubelet ? { kubelet } : {}),
    client,
    dir,
    nodeName: settings.nodeName,
    images,
    isolation,
    provided,
    apiServer: config.server,
    stopGraceMs,
  })
  // One that fails takes the other with it.
  const failed = new AbortController()
  const stop = AbortSignal.any([io.stop, failed.signal])
  try {
    const ready = () => announceReady(io.env, { isolation: isolation.kind })
    await Promise.all([runner.run(stop, ready), runDeploymentController({ ...shared, client }, stop)])
  } finally {
    failed.abort(new Error('the other part failed'))
    await client.close()
  }
}

/** Undefined: `kubectl logs` will not work, and the log says why. */
async function logServerTls(settings: Settings, config: KubeConfig, log: Logger) {
  try {
    const [certPem, keyPem] = await Promise.all([
      readFile(settings.certFile, 'utf8'),
      readFile(settings.keyFile, 'utf8'),
    ])
    if (config.caPem) return { certificate: { certPem, keyPem }, clientCaPem: config.caPem }
    log.warn('runner.no_log_server', { why: 'the kubeconfig names no certificate authority' })
  } catch (error) {
    log.warn('runner.no_log_server', { why: error instanceof Error ? error.message : String(error) })
  }
  return undefined
}
