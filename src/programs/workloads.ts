/** `coffer workloads`: pods as local processes, and the Deployments of a cluster that has no controller manager. Never for production. */

import { setMaxListeners } from 'node:events'
import { realpathSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { hostname } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { runControllers } from '../devcluster/workloads/controllers.ts'
import { readImageMap } from '../devcluster/workloads/runner/images.ts'
import { chooseIsolation } from '../devcluster/workloads/runner/isolation/probe.ts'
import { PodRunner } from '../devcluster/workloads/runner/pod-runner.ts'
import { loadKubeConfig } from '../kube/kubeconfig.ts'
import { createKubeClient } from '../kube/rest-client.ts'
import { systemClock } from '../lib/clock.ts'
import type { Logger } from '../lib/log.ts'
import { systemRandom } from '../lib/random.ts'
import type { Program, ProgramIo } from './program.ts'
import { createLogger } from './server/node/logger.ts'
import { announceReady } from './server/ready.ts'
import { logServerTls } from './workloads/log-server-tls.ts'

const usage = `Usage: coffer workloads --kubeconfig FILE --dir DIR --images FILE [flags]

Makes pods of Deployments, Jobs and CronJobs and runs pods as local processes, for development. Never for production.

  --kubeconfig FILE             the cluster and who we are there
  --dir DIR                     where pods have their files; what is left of an earlier run is removed
  --images FILE                 JSON: image -> {"command": [...], "args", "env", "mounts", "workingDir"} or {"agent": true}
  --build DIR                   holds coffer.js and bin/vault (default: where this program is)
  --node-name NAME              (default: the host's name)
  --namespace NAME              only pods of this namespace (default: all)
  --host-ip IP                  where the API server reaches this machine (default: 127.0.0.1)
  --no-controllers              the cluster has a controller manager of its own
  --tls-cert-file FILE          certificate and key of the log server, signed by the cluster's CA
  --tls-private-key-file FILE   (default: kubelet.crt and kubelet.key beside the kubeconfig file; without such
                                files: a certificate that the cluster signs, kubernetes.io/kubelet-serving)
  --client-ca-file FILE         who signed the API server's client certificate (default: as the cluster says)

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
  readonly clientCaFile: string | undefined
  readonly namespace: string | undefined
  readonly hostIp: string
  readonly controllers: boolean
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
        namespace: text,
        'host-ip': { ...text, default: '127.0.0.1' },
        'no-controllers': { type: 'boolean', default: false },
        'client-ca-file': text,
        'tls-cert-file': text,
        'tls-private-key-file': text,
      },
    })
    const { kubeconfig, dir, images } = values
    if (!kubeconfig || !dir || !images) return '--kubeconfig, --dir and --images are needed'
    if (isIP(values['host-ip']) === 0) return `--host-ip: ${JSON.stringify(values['host-ip'])} is no IP address`
    const clientCa = values['client-ca-file']
    const beside = dirname(resolve(io.cwd, kubeconfig))
    return {
      kubeconfig: resolve(io.cwd, kubeconfig),
      dir: resolve(io.cwd, dir),
      images: resolve(io.cwd, images),
      build: resolve(io.cwd, values.build ?? dirname(realpathSync(process.argv[1] ?? '.'))),
      nodeName: (values['node-name'] ?? hostname()).toLowerCase(),
      certFile: resolve(io.cwd, values['tls-cert-file'] ?? join(beside, 'kubelet.crt')),
      keyFile: resolve(io.cwd, values['tls-private-key-file'] ?? join(beside, 'kubelet.key')),
      clientCaFile: clientCa === undefined ? undefined : resolve(io.cwd, clientCa),
      namespace: values.namespace || undefined,
      hostIp: values['host-ip'],
      controllers: !values['no-controllers'],
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
  const kubelet = await logServerTls({ ...shared, ...settings, client, kubeconfigCaPem: config.caPem })
  const runner = new PodRunner({
    ...shared,
    ...(kubelet ? { kubelet } : {}),
    client,
    dir,
    nodeName: settings.nodeName,
    hostIp: settings.hostIp,
    ...(settings.namespace === undefined ? {} : { namespace: settings.namespace }),
    images,
    isolation,
    provided,
    apiServer: config.server,
    stopGraceMs,
  })
  // One that fails takes the other with it.
  const failed = new AbortController()
  const stop = AbortSignal.any([io.stop, failed.signal])
  // Each watch and each queue listens to it.
  setMaxListeners(100, stop)
  try {
    const ready = () => announceReady(io.env, { isolation: isolation.kind })
    const controllers = settings.controllers ? [runControllers({ ...shared, client }, stop)] : []
    await Promise.all([runner.run(stop, ready), ...controllers])
  } finally {
    failed.abort(new Error('the other part failed'))
    await client.close()
  }
}
