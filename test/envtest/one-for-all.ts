/** One control plane for all files of a run: COFFER_ENVTEST says which version, COFFER_ENVTEST_AT which running one (serve.ts). */
import { readFileSync } from 'node:fs'
import type { TestProject } from 'vitest/node'
import { startControlPlane } from './control-plane.ts'

declare module 'vitest' {
  interface ProvidedContext {
    controlPlane: {
      readonly version: string
      readonly address: string
      readonly ca: { readonly certPem: string; readonly keyPem: string }
      readonly token: string
      readonly kubeconfig: string
      readonly kubectl: string
      readonly etcd: string
    }
  }
}

export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const running = process.env['COFFER_ENVTEST_AT']
  if (running) {
    provide('controlPlane', JSON.parse(readFileSync(running, 'utf8')))
    return async () => {}
  }
  const plane = await startControlPlane({ minor: process.env['COFFER_ENVTEST'] })
  const { version, address, ca, token, kubeconfig, kubectl, etcd } = plane
  provide('controlPlane', { version, address, ca, token, kubeconfig, kubectl, etcd })
  return () => plane.stop()
}
