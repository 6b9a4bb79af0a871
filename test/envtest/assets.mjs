// Where the built control planes are. Shared by the build script and the test helper.
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const module = fileURLToPath(new URL('.', import.meta.url))
const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'coffer', 'envtest')

export const programs = ['kube-apiserver', 'kube-controller-manager', 'kubectl', 'etcd']

/** One pinned set of modules: `modFile` and its sums decide what is built, and their digest whether it is still that. */
function controlPlane(modFile, sumFile) {
  const text = readFileSync(join(module, modFile), 'utf8')
  const version = /^\s*k8s\.io\/kubernetes v(\S+)$/m.exec(text)?.[1]
  if (!version) throw new Error(`${modFile} requires no k8s.io/kubernetes`)
  const digest = createHash('sha256')
    .update(text)
    .update(readFileSync(join(module, sumFile)))
    .digest('hex')
  return {
    version,
    minor: version.split('.').slice(0, 2).join('.'),
    modFile,
    digest,
    folder: join(cache, `${version}-${process.platform}-${process.arch}`),
  }
}

export const controlPlanes = [
  controlPlane('go.mod', 'go.sum'),
  controlPlane('kubernetes-1.36.mod', 'kubernetes-1.36.sum'),
]

export function isBuilt(plane) {
  const stamp = join(plane.folder, '.built')
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === plane.digest
}
