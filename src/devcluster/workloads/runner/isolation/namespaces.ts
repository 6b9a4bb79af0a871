/** Linux: user, mount and PID namespaces with a private root. The network is the host's. */
import { lstatSync, readdirSync } from 'node:fs'
import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { ContainerPlan, Isolation, Launch, Provided } from './isolation.ts'
import { privateRootScript } from './private-root.ts'

export interface NamespacesOptions extends Provided {
  /** The runner's folder: what all containers share is made here. */
  readonly dir: string
  /** Without: for root where user namespaces are forbidden. */
  readonly userNamespace: boolean
}

const systemPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

export async function createNamespaces(options: NamespacesOptions): Promise<Isolation> {
  const binDir = join(options.dir, 'rootfs-bin')
  await makeBinDir(binDir, options)
  const shown = shownFolders(options)
  const user = options.userNamespace ? ['--user', '--map-root-user'] : []
  return {
    kind: 'namespaces',
    async prepare(plan: ContainerPlan): Promise<Launch> {
      const root = join(plan.dir, 'root')
      await mkdir(root, { recursive: true })
      const folders = new Set<string>()
      for (const { hostPath } of plan.mounts) if ((await stat(hostPath)).isDirectory()) folders.add(hostPath)
      const script = join(plan.dir, 'start.sh')
      await writeFile(script, privateRootScript({ plan, root, binDir, shown, folders }), { mode: 0o600 })
      const unshare = ['unshare', ...user, '--mount', '--pid', '--fork', '--kill-child']
      return {
        argv: [...unshare, '--', '/bin/sh', script, ...plan.command],
        env: { PATH: `${options.buildDir}/bin:${systemPath}:${dirname(options.node)}`, ...plan.env },
        cwd: '/',
      }
    },
    async enter(launch, containerPid, command) {
      const init = await processOne(containerPid)
      const into = [...(options.userNamespace ? ['--user', '--preserve-credentials'] : []), '--mount', '--pid']
      return { ...launch, argv: ['nsenter', `--target=${init}`, ...into, '--', ...command] }
    },
  }
}

/** /bin of every container: the host's commands and `vault`. A folder of links, for the host's own cannot be added to. */
async function makeBinDir(binDir: string, options: NamespacesOptions): Promise<void> {
  await mkdir(binDir, { recursive: true })
  const merged = lstatSync('/bin').isSymbolicLink()
  const present = new Set(readdirSync(binDir))
  for (const name of await readdir('/bin')) {
    if (name !== 'vault' && !present.has(name)) {
      await symlink(`${merged ? '/usr/bin' : '/.host/bin'}/${name}`, join(binDir, name))
    }
  }
  if (!present.has('vault')) await symlink(join(options.buildDir, 'bin/vault'), join(binDir, 'vault'))
}

/** Node's folder and the build, unless /usr shows them anyway. */
function shownFolders(options: NamespacesOptions): string[] {
  return [...new Set([dirname(options.node), options.buildDir])].filter((path) => !`${path}/`.startsWith('/usr/'))
}

/** Process 1 of the container, by its id here: the child of `unshare`, which is a child of the process that we started. */
async function processOne(containerPid: number): Promise<number> {
  const parents = new Map<number, number>()
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const text = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '')
    // Field 4, after the command in parentheses, which may hold anything.
    const parent = Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1])
    if (parent > 0) parents.set(Number(name), parent)
  }
  for (const [pid, parent] of parents) {
    if (parents.get(parent) === containerPid) return pid
  }
  throw new Error('the container has ended')
}
