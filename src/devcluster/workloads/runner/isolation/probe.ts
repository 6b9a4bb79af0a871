import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from '../../../../lib/log.ts'
import { startProcess } from '../containers/container-process.ts'
import type { Isolation, Provided } from './isolation.ts'
import { createNamespaces } from './namespaces.ts'
import { createNoIsolation } from './none.ts'

export interface IsolationChoice extends Provided {
  readonly dir: string
  readonly hostPath: string
  readonly platform: string
  /** COFFER_POD_ISOLATION: undefined lets the probe decide. */
  readonly forced: string | undefined
  readonly log: Logger
}

/** Tries what a container would need, once. Throws when `forced` asks for what cannot be had, or for something unknown. */
export async function chooseIsolation(choice: IsolationChoice): Promise<Isolation> {
  const { forced } = choice
  if (forced !== undefined && forced !== '' && forced !== 'namespaces' && forced !== 'none') {
    throw new Error(`COFFER_POD_ISOLATION: ${JSON.stringify(forced)} is neither "namespaces" nor "none"`)
  }
  if (forced === 'none') return createNoIsolation(choice)
  const attempt = await tryNamespaces(choice)
  if ('isolation' in attempt) return attempt.isolation
  if (forced === 'namespaces')
    throw new Error(
      `pods can not be kept apart from this machine's files: ${attempt.why}; COFFER_POD_ISOLATION=none runs them all the same, as you`,
    )
  choice.log.info('isolation.fallback', { why: attempt.why })
  return createNoIsolation(choice)
}

async function tryNamespaces(choice: IsolationChoice): Promise<{ isolation: Isolation } | { why: string }> {
  if (choice.platform !== 'linux') return { why: `${choice.platform} has no Linux namespaces` }
  let why = ''
  // Root may do without a user namespace, where those are forbidden.
  for (const userNamespace of [true, false]) {
    const isolation = await createNamespaces({ ...choice, userNamespace })
    const result = await runProbe(isolation, choice)
    if (result === undefined) return { isolation }
    why ||= result
  }
  return { why }
}

/** The real thing, small: node runs in a private root, which hides the host's folders and can be read-only. */
async function runProbe(isolation: Isolation, choice: IsolationChoice): Promise<string | undefined> {
  await mkdir(choice.dir, { recursive: true })
  const dir = await mkdtemp(join(choice.dir, 'probe-'))
  const check = '[ ! -e /home ] && [ -e /probe/root ] && exec "$0" -e 0'
  try {
    const launch = await isolation.prepare({
      dir,
      command: ['/bin/sh', '-c', check, choice.node],
      env: {},
      workingDir: '/',
      mounts: [{ containerPath: '/probe', hostPath: dir, readOnly: true }],
      readOnlyRoot: true,
    })
    let output = ''
    const probe = startProcess(launch, (chunk) => {
      output += chunk.toString('utf8')
    })
    const code = await probe.exited
    // mount adds a hint about dmesg below what it has to say.
    const said = output.split('\n').filter((line) => line.trim() !== '' && !line.startsWith(' '))
    return code === 0 ? undefined : (said.at(-1) ?? `the probe ended with ${code}`)
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
