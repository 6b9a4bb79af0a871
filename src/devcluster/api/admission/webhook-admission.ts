/** Webhooks: who is asked, in which order, what becomes of the object. Mutating ones before it is checked, validating ones after. */
import type { KubeObject } from '../../../kube/client.ts'
import type { RandomBytes } from '../../../lib/random.ts'
import { CelError } from '../cel/value.ts'
import { mutatingCollection, validatingCollection } from '../kinds/webhook-configurations.ts'
import { applyJsonPatch } from '../patch/json-patch.ts'
import { normalize } from '../requests/decode.ts'
import type { Resource, ResourceTable } from '../resource.ts'
import { forbiddenRequest, internalError } from '../status.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { equal, isTree, type Tree, textAt, treeProblem, treesAt } from '../tree.ts'
import type { Admission, AdmissionAttempt } from './admission.ts'
import { meetsConditions } from './match-conditions.ts'
import type { WebhookCall } from './webhook-call.ts'
import { askWebhook, CallFailure, inVersion, reviewOf } from './webhook-exchange.ts'
import { matchingVersion } from './webhook-rules.ts'

export interface WebhookAdmissionOptions {
  readonly store: ObjectStore
  readonly resources: ResourceTable
  readonly random: RandomBytes
  readonly call: WebhookCall
  /** Runs again after a webhook changed an object: what it added gets its defaults too. */
  readonly again: Admission
}

export class WebhookAdmission implements Admission {
  readonly #options: WebhookAdmissionOptions

  constructor(options: WebhookAdmissionOptions) {
    this.#options = options
  }

  /** One after the other; those that want to are asked again when a later one changed something. */
  async admit(attempt: AdmissionAttempt): Promise<KubeObject | undefined> {
    const webhooks = this.#webhooks(mutatingCollection, attempt)
    let object = attempt.object
    const asked = new Set<Tree>()
    const changedAfter = new Map<Tree, boolean>()
    for (const webhook of webhooks) {
      const next = await this.#mutate(webhook, { ...attempt, object })
      if (next === 'skipped') continue
      asked.add(webhook)
      changedAfter.set(webhook, false)
      if (equal(next, object)) continue
      object = await this.#options.again.admit({ ...attempt, object: next })
      for (const earlier of asked) if (earlier !== webhook) changedAfter.set(earlier, true)
    }
    for (const webhook of webhooks) {
      if (!changedAfter.get(webhook) || textAt(webhook, 'reinvocationPolicy') !== 'IfNeeded') continue
      const next = await this.#mutate(webhook, { ...attempt, object })
      if (next !== 'skipped') object = await this.#options.again.admit({ ...attempt, object: next })
    }
    return object
  }

  /** All at once; of several refusals the first in order is told. */
  async review(attempt: AdmissionAttempt): Promise<void> {
    const called = this.#webhooks(validatingCollection, attempt).flatMap((webhook) => {
      const wanted = this.#wanted(webhook, attempt)
      return wanted ? [{ webhook, wanted }] : []
    })
    const answers = await Promise.allSettled(
      called.map(async ({ webhook, wanted }) => {
        await this.#ask(webhook, wanted, attempt)
      }),
    )
    for (const answer of answers) if (answer.status === 'rejected') throw answer.reason
  }

  /** A broken webhook must not keep anyone from mending it. */
  #webhooks(collection: string, attempt: AdmissionAttempt): readonly Tree[] {
    if ([mutatingCollection, validatingCollection].includes(attempt.resource.collection)) return []
    return this.#options.store.list(collection).flatMap((object) => treesAt(object, 'webhooks'))
  }

  /** The version in which a webhook sees the object; undefined: it is not asked. */
  #wanted(webhook: Tree, attempt: AdmissionAttempt): Resource | undefined {
    const wanted = matchingVersion(webhook, attempt, this.#options)
    if (!wanted || treesAt(webhook, 'matchConditions').length === 0) return wanted
    const { request } = reviewOf(attempt, wanted, this.#options.random)
    const meets = meetsConditions(webhook, request)
    if (!(meets instanceof CelError)) return meets ? wanted : undefined
    if (textAt(webhook, 'failurePolicy') === 'Ignore') return undefined
    throw forbiddenRequest(attempt.resource, attempt.name, meets.message)
  }

  /** The response; undefined when none came and that is no harm. */
  async #ask(webhook: Tree, wanted: Resource, attempt: AdmissionAttempt): Promise<Tree | undefined> {
    try {
      return await askWebhook(webhook, reviewOf(attempt, wanted, this.#options.random), attempt, this.#options.call)
    } catch (error) {
      if (!(error instanceof CallFailure)) throw error
      if (textAt(webhook, 'failurePolicy') === 'Ignore') return undefined
      throw internalError(`failed calling webhook "${textAt(webhook, 'name') ?? ''}": ${error.message}`)
    }
  }

  async #mutate(webhook: Tree, attempt: AdmissionAttempt): Promise<KubeObject | undefined | 'skipped'> {
    const wanted = this.#wanted(webhook, attempt)
    if (!wanted) return 'skipped'
    const response = await this.#ask(webhook, wanted, attempt)
    if (!response) return attempt.object
    return patched(textAt(webhook, 'name') ?? '', attempt, wanted, response)
  }
}

function patched(name: string, attempt: AdmissionAttempt, wanted: Resource, response: Tree): KubeObject | undefined {
  const { object, resource } = attempt
  const encoded = textAt(response, 'patch') ?? ''
  if (encoded === '' || !object) return object
  if (textAt(response, 'patchType') !== 'JSONPatch')
    throw internalError(
      `failed calling webhook "${name}": received invalid webhook response: webhook returned response.patch but not response.patchType`,
    )
  try {
    const operations: unknown = JSON.parse(Buffer.from(encoded, 'base64').toString('utf8'))
    if (!Array.isArray(operations) || treeProblem(operations)) throw new Error('the patch is not a list of operations')
    const changed = applyJsonPatch(inVersion(object, resource, wanted), operations)
    if (!isTree(changed)) throw new Error('the patch leaves no object')
    return inVersion(normalize(wanted, changed), wanted, resource)
  } catch (error) {
    throw internalError(
      `admission webhook "${name}" answered a patch that can not be applied: ${error instanceof Error ? error.message : ''}`,
    )
  }
}
