/** Where namespaces are forbidden (macOS, some containers): folders of the host under the names that the pod knows. */
import { mkdir, symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { ContainerPlan, Isolation, Launch, Provided } from './isolation.ts'
import { PathMap } from './path-map.ts'

export interface NoIsolationOptions extends Provided {
  readonly dir: string
  /** The PATH of the runner: where the host's commands are. */
  readonly hostPath: string
}

export async function createNoIsolation(options: NoIsolationOptions): Promise<Isolation> {
  const binDir = join(options.dir, 'bin')
  await mkdir(binDir, { recursive: true })
  await symlink(join(options.buildDir, 'bin/vault'), join(binDir, 'vault')).catch((error: unknown) => {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  })
  const maps = new WeakMap<Launch, PathMap>()
  return {
    kind: 'none',
    async prepare(plan) {
      const own = async (name: string) => {
        await mkdir(join(plan.dir, name), { recursive: true })
        return join(plan.dir, name)
      }
      const paths = new Map(plan.mounts.map((mount) => [mount.containerPath, mount.hostPath]))
      paths.set('/bin/vault', join(binDir, 'vault'))
      const map = new PathMap(paths)
      const workingDir = map.text(plan.workingDir)
      const launch = {
        argv: plan.command.map((word) => map.text(word)),
        env: {
          PATH: `${binDir}:${dirname(options.node)}:${options.hostPath}`,
          TMPDIR: await own('tmp'),
          ...mappedEnv(plan, map),
          // A home that is no mount would be one of the host's.
          ...(isMapped(map, plan.env['HOME']) ? {} : { HOME: await own('home') }),
        },
        cwd: workingDir === plan.workingDir ? await own('work') : workingDir,
      }
      maps.set(launch, map)
      return launch
    },
    async enter(launch, _containerPid, command) {
      const map = maps.get(launch)
      return { ...launch, argv: command.map((word) => map?.text(word) ?? word) }
    },
  }
}

function mappedEnv(plan: ContainerPlan, map: PathMap): Record<string, string> {
  return Object.fromEntries(
    Object.entries(plan.env).map(([name, value]) => {
      const encoded = name === 'VAULT_CONFIG' ? map.base64Json(value) : undefined
      return [name, encoded ?? map.text(value)]
    }),
  )
}

const isMapped = (map: PathMap, path: string | undefined) => path !== undefined && map.text(path) !== path
