/** The CustomResourceDefinitions that a run needs: ours where there are none, somebody's own where there are, never changed. */
import { customResourceDefinitions as definitions } from '../../../controller/crds/definitions.ts'
import { ApiError, type KubeClient, type KubeObject } from '../../../kube/client.ts'
import { customResourceDefinitions } from '../../../kube/object-types.ts'
import type { Clock } from '../../../lib/clock.ts'
import { isOurs, managedBy, managedByLabel, type RunMarks } from './run-marks.ts'

type Definition = KubeObject & {
  spec?: { versions?: { name?: string; served?: boolean }[] }
  status?: { conditions?: { type?: string; status?: string }[] }
}

export interface FoundDefinitions {
  /** Somebody else's, which are used as they are. */
  readonly foreign: readonly string[]
  readonly servesBeta: boolean
  /** Why they can't be used, and what to do. */
  readonly problem: string | undefined
}

const servedVersions = (definition: Definition) =>
  (definition.spec?.versions ?? []).filter(({ served }) => served).map(({ name = '' }) => name)

export async function findDefinitions(kube: KubeClient): Promise<FoundDefinitions> {
  const foreign: string[] = []
  let servesBeta = true
  let problem: string | undefined
  for (const { metadata } of definitions()) {
    const name = metadata.name ?? ''
    const found: Definition | undefined = await kube.get(customResourceDefinitions, { name })
    if (!found || isOurs(found)) continue
    foreign.push(name)
    const versions = servedVersions(found)
    if (!versions.includes('v1beta1')) servesBeta = false
    if (!versions.includes('v1'))
      problem ??= `CustomResourceDefinition ${name} is there, is not ours and serves ${versions.join(', ') || 'nothing'}; v1 is needed: bring External Secrets up to date, or use another cluster`
  }
  return { foreign, servesBeta, problem }
}

/**
 * Makes those that nobody else has. Each run that uses them is one of their owners, by a field manager of its own, so that they
 * go with the last of the runs.
 */
export async function applyDefinitions(options: {
  readonly kube: KubeClient
  readonly clock: Clock
  readonly marks: RunMarks
  readonly foreign: readonly string[]
  readonly signal: AbortSignal
}): Promise<void> {
  const { kube, clock, marks, foreign, signal } = options
  const ours = definitions().filter(({ metadata }) => !foreign.includes(metadata.name ?? ''))
  for (const definition of ours) {
    const name = definition.metadata.name ?? ''
    let before: KubeObject | undefined
    await until({ clock, signal }, `the end of an earlier ${name}`, async () => {
      before = await kube.get(customResourceDefinitions, { name })
      return !before?.metadata.deletionTimestamp
    })
    const labels = { ...definition.metadata.labels, [managedByLabel]: managedBy }
    const metadata = { ...definition.metadata, labels, ownerReferences: [marks.owner] }
    await makeOrJoin(kube, { ...definition, metadata }, before, marks.name)
  }
  for (const { metadata } of ours) {
    const name = metadata.name ?? ''
    const plural = name.slice(0, name.indexOf('.'))
    await until({ clock, signal }, `${name} to be served`, async () => {
      const path = `/apis/external-secrets.io/v1/namespaces/${marks.name}/${plural}`
      return (await kube.raw({ method: 'GET', path })).status === 200
    })
  }
}

/**
 * Never one of somebody else, who may have come after we looked: theirs would get us as its owner and go with us. Hence `create`
 * where there was none, and the uid of the one that was seen to be ours.
 */
async function makeOrJoin(
  kube: KubeClient,
  wanted: KubeObject,
  before: KubeObject | undefined,
  fieldManager: string,
): Promise<void> {
  const { name = '' } = wanted.metadata
  if (!before) {
    try {
      await kube.create(customResourceDefinitions, wanted, { fieldManager })
      return
    } catch (error) {
      if (!(error instanceof ApiError && error.reason === 'AlreadyExists')) throw error
    }
  }
  const found = before ?? (await kube.get(customResourceDefinitions, { name }))
  if (!found || !isOurs(found))
    throw new Error(
      `CustomResourceDefinition ${name} was made by somebody else meanwhile and is left alone: start again`,
    )
  const metadata = { ...wanted.metadata, uid: found.metadata.uid }
  await kube.apply(customResourceDefinitions, { ...wanted, metadata }, { fieldManager, force: true })
}

const withinMs = 60_000

async function until(
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
  what: string,
  probe: () => Promise<boolean>,
): Promise<void> {
  const deadline = clock.monotonic() + withinMs
  while (!(await probe())) {
    if (clock.monotonic() > deadline) throw new Error(`${what}: not seen within ${withinMs / 1000} s`)
    await clock.sleep(50, signal)
  }
}
