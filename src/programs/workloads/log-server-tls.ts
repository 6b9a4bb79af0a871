import { readFile } from 'node:fs/promises'
import {
  apiServerClientCa,
  requestServingCertificate,
} from '../../devcluster/workloads/runner/node/serving-certificate.ts'
import type { KubeClient } from '../../kube/client.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/log.ts'
import type { KeyedCertificate } from '../../lib/x509/certificates.ts'

export interface LogServerTlsOptions {
  readonly certFile: string
  readonly keyFile: string
  /** Absent: the cluster is asked, then the kubeconfig's own CA is taken. */
  readonly clientCaFile: string | undefined
  readonly kubeconfigCaPem: string | undefined
  readonly nodeName: string
  readonly hostIp: string
  readonly client: KubeClient
  readonly clock: Clock
  readonly log: Logger
}

/** With files that exist nobody is asked. Undefined: `kubectl logs` will not work, and the log says why. */
export async function logServerTls(options: LogServerTlsOptions) {
  const { log } = options
  try {
    const fromFiles = await certificateOfFiles(options)
    const certificate = fromFiles ?? (await requestServingCertificate({ ...options, withinMs: 5000 }))
    if ('problem' in certificate) {
      log.warn('runner.no_log_server', { why: certificate.problem })
      return undefined
    }
    const clientCaPem = await clientCa(options, fromFiles === undefined)
    if (clientCaPem) return { certificate, clientCaPem }
    log.warn('runner.no_log_server', { why: 'neither the cluster nor the kubeconfig names a certificate authority' })
  } catch (error) {
    log.warn('runner.no_log_server', { why: error instanceof Error ? error.message : String(error) })
  }
  return undefined
}

async function certificateOfFiles({ certFile, keyFile }: LogServerTlsOptions): Promise<KeyedCertificate | undefined> {
  try {
    const [certPem, keyPem] = await Promise.all([readFile(certFile, 'utf8'), readFile(keyFile, 'utf8')])
    return { certPem, keyPem }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

/** `ask`: whose certificate came from the cluster's signer is in a real cluster, which says who its API server's clients are. */
async function clientCa(options: LogServerTlsOptions, ask: boolean): Promise<string | undefined> {
  if (options.clientCaFile !== undefined) return readFile(options.clientCaFile, 'utf8')
  if (!ask) return options.kubeconfigCaPem
  return (await apiServerClientCa(options.client).catch(() => undefined)) ?? options.kubeconfigCaPem
}
