/**
 * `npm run envtest -- [1.34|1.36]`: a real control plane to try things on, until Ctrl-C. COFFER_ENVTEST_AT=<the file it names>
 * makes the suite `envtest` use it instead of starting its own.
 */
import { rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startControlPlane } from './control-plane.ts'

const minor = process.argv[2]
const plane = await startControlPlane({ minor }).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
})
const file = join(tmpdir(), `coffer-envtest-at-${process.pid}.json`)
const { version, address, ca, token, kubeconfig, kubectl, etcd } = plane
writeFileSync(file, JSON.stringify({ version, address, ca, token, kubeconfig, kubectl, etcd }), { mode: 0o600 })
console.log(`Kubernetes ${version} at ${address}

  export KUBECONFIG=${kubeconfig}
  ${kubectl} get namespaces

  COFFER_ENVTEST_AT=${file} npx vitest run --project envtest

Ctrl-C ends it and removes everything.`)
const end = async () => {
  await plane.stop()
  rmSync(file, { force: true })
  process.exit(0)
}
process.once('SIGINT', end).once('SIGTERM', end)
