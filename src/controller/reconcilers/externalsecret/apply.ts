import { isDeepStrictEqual } from 'node:util'
import { ApiError, type KubeObject, type Writer } from '../../../kube/client.ts'
import { type Secret, secrets } from '../../../kube/object-types.ts'
import { type ExternalSecret, externalSecrets } from '../../crds/external-secret.ts'
import { controllerName, type Next, type Recorder } from '../context.ts'
import { failed, type SecretWrite, type Verdict } from './decide.ts'
import { fieldManagerOf, finalizer } from './marks/marks.ts'
import type { Observed } from './observe.ts'

export interface Sinks {
  readonly client: Writer
  readonly record: Recorder
}

export interface Applied {
  readonly next: Next
  /** What was decided is in the cluster now. */
  readonly done: boolean
  /** The ExternalSecret as it was written; undefined when it was not. */
  readonly written?: KubeObject | undefined
}

/** Somebody else wrote in between: look again soon. */
const again: Applied = { next: { when: 'after', ms: 100 }, done: false }

/** Secret first, then status: a status never promises what is not there. */
export async function apply(observed: Observed, verdict: Verdict, sinks: Sinks): Promise<Applied> {
  const { es } = observed
  const outcome = await writeSecrets(es, verdict, sinks.client)
  if (outcome === 'conflict') return again
  const told = outcome === undefined ? verdict : failed(observed, outcome.message, outcome.cause, { when: 'backoff' })
  // What will not change by itself is told once, not at each look.
  const isNews = told.next.when !== 'never' || !isDeepStrictEqual(es.status, told.status)
  if (isNews) for (const note of told.events) sinks.record(es.object, note)
  const applied = await writeStatus(es, told, sinks.client)
  return { ...applied, done: applied.done && outcome === undefined }
}

type Trouble = 'conflict' | { readonly message: string; readonly cause: string } | undefined

async function writeSecrets(es: ExternalSecret, verdict: Verdict, client: Writer): Promise<Trouble> {
  const written = await attempt('could not update secret', () => writeSecret(es, verdict.secret, client))
  if (written !== undefined) return verdict.secret.write === 'delete' ? asDeletion(written) : written
  return attempt('could not delete orphaned secrets', async () => {
    for (const orphan of verdict.orphans) await deleteSecret(orphan, client)
  })
}

const asDeletion = (trouble: Trouble): Trouble =>
  typeof trouble === 'object' ? { ...trouble, message: 'could not delete secret' } : trouble

async function attempt(message: string, work: () => Promise<unknown>): Promise<Trouble> {
  try {
    await work()
    return undefined
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    if (error.reason === 'Conflict' || error.reason === 'AlreadyExists') return 'conflict'
    return { message, cause: error.message }
  }
}

async function writeSecret(es: ExternalSecret, change: SecretWrite, client: Writer): Promise<void> {
  const options = { fieldManager: fieldManagerOf(es.name) }
  if (change.write === 'create') await client.create(secrets, change.secret, options)
  if (change.write === 'update') await client.update(secrets, change.secret, options)
  if (change.write === 'delete') await deleteSecret(change.secret, client)
}

/** Only the very object that was looked at. */
export async function deleteSecret(secret: Secret, client: Writer): Promise<void> {
  const { namespace = '', name = '', uid = '', resourceVersion = '' } = secret.metadata
  await client.delete(secrets, { namespace, name }, { uid, resourceVersion })
}

async function writeStatus(es: ExternalSecret, verdict: Verdict, client: Writer): Promise<Applied> {
  if (isDeepStrictEqual(es.status, verdict.status) && es.object['status'] !== undefined)
    return { next: verdict.next, done: true }
  try {
    const object = { ...es.object, status: verdict.status }
    const written = await client.update(externalSecrets, object, {
      subresource: 'status',
      fieldManager: controllerName,
    })
    return { next: verdict.next, done: true, written }
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    if (error.reason === 'Conflict') return again
    if (error.reason === 'NotFound') return { next: { when: 'never' }, done: false }
    throw error
  }
}

export const hasFinalizer = (es: ExternalSecret) => es.object.metadata.finalizers?.includes(finalizer) === true

/** By merge patch with the version: an update would rewrite "1h" in other people's words and take their fields. */
export async function setFinalizer(
  es: ExternalSecret,
  present: boolean,
  client: Writer,
): Promise<KubeObject | 'conflict' | 'gone'> {
  const others = (es.object.metadata.finalizers ?? []).filter((name) => name !== finalizer)
  const finalizers = present ? [...others, finalizer] : others
  const { namespace = '', name = '', resourceVersion } = es.object.metadata
  const patch = { kind: 'merge', body: { metadata: { finalizers, resourceVersion } } } as const
  try {
    return await client.patch(externalSecrets, { namespace, name }, patch, { fieldManager: controllerName })
  } catch (error) {
    if (error instanceof ApiError && error.reason === 'Conflict') return 'conflict'
    if (error instanceof ApiError && error.reason === 'NotFound') return 'gone'
    throw error
  }
}
