/** All objects of all kinds that an API server lists, by name, to compare what a program left with what was there. */

import { readFile } from 'node:fs/promises'
import { inject } from 'vitest'
import type { KubeClient } from '../../src/kube/client.ts'
import { loadKubeConfig } from '../../src/kube/kubeconfig.ts'
import { namespaces } from '../../src/kube/object-types.ts'
import { createKubeClient } from '../../src/kube/rest-client.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import { systemRandom } from '../../src/lib/random.ts'

export async function adminClient(): Promise<KubeClient> {
  const config = await loadKubeConfig({
    path: inject('controlPlane').kubeconfig,
    env: {},
    clock: systemClock,
    readFile: (path) => readFile(path, 'utf8'),
  })
  return createKubeClient({ config, clock: systemClock, random: systemRandom, log: silentLog })
}

/** As `Cluster.namespace()` names them: files that ran before leave CronJobs there, which go on ticking. */
const ofOtherFiles = /^test-[0-9a-f]{8}-\d+$/

/**
 * "group/plural namespace/name" of everything but Events, which are what controllers say, not what a program makes, and
 * but the namespaces of other files, where controllers still work.
 */
export async function allObjects(kube: KubeClient): Promise<string[]> {
  const read = async (path: string) => {
    const answer = await kube.raw({ method: 'GET', path })
    // A kind may go between its discovery and its listing.
    return answer.status === 200 ? JSON.parse(answer.body) : {}
  }
  const groups = (await read('/apis')).groups ?? []
  const roots = ['/api/v1', ...groups.map((group: any) => `/apis/${group.preferredVersion.groupVersion}`)]
  const found: string[] = []
  for (const root of roots) {
    for (const { name, verbs } of (await read(root)).resources ?? []) {
      if (name.includes('/') || name === 'events' || !verbs.includes('list')) continue
      for (const { metadata } of (await read(`${root}/${name}`)).items ?? [])
        if (!ofOtherFiles.test(metadata.namespace ?? metadata.name))
          found.push(`${root.slice(1)}/${name} ${metadata.namespace ?? ''}/${metadata.name}`)
    }
  }
  return found.sort()
}

/** Once no namespace of an earlier file is still being removed: else what goes by itself would look taken. */
export async function settledObjects(kube: KubeClient): Promise<string[]> {
  const deadline = Date.now() + 60_000
  for (;;) {
    const going = (await kube.list(namespaces)).items.filter(({ metadata }) => metadata.deletionTimestamp)
    if (going.length === 0) return allObjects(kube)
    if (Date.now() > deadline) throw new Error(`still going: ${going.map(({ metadata }) => metadata.name).join(', ')}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
