/** Mutating webhooks: who is asked, what they answer, what becomes of the object. */
import type { KubeObject } from '../../../kube/client.ts'
import { type RandomBytes, uuid } from '../../../lib/random.ts'
import { userInfo } from '../identity/user.ts'
import { webhookCollection } from '../kinds/webhook-configurations.ts'
import { applyJsonPatch } from '../patch/json-patch.ts'
import { normalize } from '../requests/decode.ts'
import { externalOf, groupVersionOf, type Resource, type ResourceTable, storedOf } from '../resource.ts'
import { badRequest, internalError, StatusError } from '../status.ts'
import type { ObjectStore } from '../store/object-store.ts'
import {
  equal,
  isTree,
  numberAt,
  type Tree,
  textAt,
  textMapAt,
  textsAt,
  treeAt,
  treeProblem,
  treesAt,
} from '../tree.ts'
import type { Admission, AdmissionAttempt } from './admission.ts'
import type { WebhookCall } from './webhook-call.ts'
import { matchingVersion } from './webhook-rules.ts'

export interface WebhookAdmissionOptions {
  readonly store: ObjectStore
  readonly resources: ResourceTable
  readonly random: RandomBytes
  readonly call: WebhookCall
  /** Runs again after a webhook changed an object: what it added gets its defaults too. */
  readonly again: Admission
}

/** Why no usable answer came; failurePolicy decides what that means. */
class CallFailure extends Error {
  override name = 'CallFailure'
}

export class WebhookAdmission implements Admission {
  readonly #options: WebhookAdmissionOptions

  constructor(options: WebhookAdmissionOptions) {
    this.#options = options
  }

  async admit(attempt: AdmissionAttempt): Promise<KubeObject | undefined> {
    // A broken webhook must not keep anyone from mending it.
    if (attempt.resource.collection === webhookCollection) return attempt.object
    const webhooks = this.#options.store.list(webhookCollection).flatMap((object) => treesAt(object, 'webhooks'))
    let object = attempt.object
    const asked = new Set<Tree>()
    const changedAfter = new Map<Tree, boolean>()
    for (const webhook of webhooks) {
      const next = await this.#ask(webhook, { ...attempt, object })
      if (next === 'skipped') continue
      asked.add(webhook)
      changedAfter.set(webhook, false)
      if (equal(next, object)) continue
      object = await this.#options.again.admit({ ...attempt, object: next })
      for (const earlier of asked) if (earlier !== webhook) changedAfter.set(earlier, true)
    }
    for (const webhook of webhooks) {
      if (!changedAfter.get(webhook) || textAt(webhook, 'reinvocationPolicy') !== 'IfNeeded') continue
      const next = await this.#ask(webhook, { ...attempt, object })
      if (next !== 'skipped') object = await this.#options.again.admit({ ...attempt, object: next })
    }
    return object
  }

  async #ask(webhook: Tree, attempt: AdmissionAttempt): Promise<KubeObject | undefined | 'skipped'> {
    const wanted = matchingVersion(webhook, attempt, this.#options)
    if (!wanted) return 'skipped'
    const name = textAt(webhook, 'name') ?? ''
    const effects = textAt(webhook, 'sideEffects')
    if (attempt.dryRun && effects !== 'None' && effects !== 'NoneOnDryRun')
      throw badRequest(`admission webhook "${name}" does not support dry run`)
    try {
      const response = await this.#call(webhook, this.#review(attempt, wanted))
      for (const warning of textsAt(response, 'warnings')) attempt.warnings.push(warning)
      if (response['allowed'] !== true) throw denial(name, response)
      return this.#patched(name, attempt, wanted, response)
    } catch (error) {
      if (!(error instanceof CallFailure)) throw error
      if (textAt(webhook, 'failurePolicy') === 'Ignore') return attempt.object
      throw internalError(`failed calling webhook "${name}": ${error.message}`)
    }
  }

  #review(attempt: AdmissionAttempt, wanted: Resource): Tree & { readonly request: Tree } {
    const { resource } = attempt
    const shown = (object: KubeObject | undefined) => (object ? inVersion(object, resource, wanted) : null)
    return {
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      request: {
        uid: uuid(this.#options.random),
        kind: kindOf(wanted),
        resource: { group: wanted.group, version: wanted.version, resource: wanted.plural },
        ...(attempt.subresource ? { subResource: attempt.subresource } : {}),
        requestKind: kindOf(resource),
        requestResource: { group: resource.group, version: resource.version, resource: resource.plural },
        ...(attempt.subresource ? { requestSubResource: attempt.subresource } : {}),
        ...(attempt.name === '' ? {} : { name: attempt.name }),
        ...(attempt.namespace === undefined ? {} : { namespace: attempt.namespace }),
        operation: attempt.operation,
        userInfo: userInfo(attempt.user),
        object: shown(attempt.object),
        oldObject: shown(attempt.before),
        dryRun: attempt.dryRun,
        options: attempt.options,
      },
    }
  }

  /** The `response` of the answer, known to be one to this review. */
  async #call(webhook: Tree, review: Tree & { readonly request: Tree }): Promise<Tree> {
    const seconds = numberAt(webhook, 'timeoutSeconds') ?? 10
    const url = `${textAt(webhook, 'clientConfig', 'url')}?timeout=${seconds}s`
    const bundle = textAt(webhook, 'clientConfig', 'caBundle')
    let answer: { readonly status: number; readonly body: string }
    try {
      answer = await this.#options.call({
        url,
        caPem: bundle ? Buffer.from(bundle, 'base64').toString('utf8') : undefined,
        body: JSON.stringify(review),
        timeoutMs: seconds * 1000,
      })
    } catch (error) {
      throw new CallFailure(`failed to call webhook: Post "${url}": ${error instanceof Error ? error.message : ''}`)
    }
    if (answer.status < 200 || answer.status > 299)
      throw new CallFailure(
        `failed to call webhook: an error on the server ("${answer.body.slice(0, 200)}") has prevented the request from succeeding`,
      )
    return responseOf(answer.body, review.request['uid'])
  }

  #patched(name: string, attempt: AdmissionAttempt, wanted: Resource, response: Tree): KubeObject | undefined {
    const { object, resource } = attempt
    const encoded = textAt(response, 'patch') ?? ''
    if (encoded === '' || !object) return object
    if (textAt(response, 'patchType') !== 'JSONPatch')
      throw new CallFailure(`webhook returned response.patch but not response.patchType, or one that is not JSONPatch`)
    try {
      const operations: unknown = JSON.parse(Buffer.from(encoded, 'base64').toString('utf8'))
      if (!Array.isArray(operations) || treeProblem(operations))
        throw new Error('the patch is not a list of operations')
      const patched = applyJsonPatch(inVersion(object, resource, wanted), operations)
      if (!isTree(patched)) throw new Error('the patch leaves no object')
      return inVersion(normalize(wanted, patched), wanted, resource)
    } catch (error) {
      throw internalError(
        `admission webhook "${name}" answered a patch that can not be applied: ${error instanceof Error ? error.message : ''}`,
      )
    }
  }
}

const kindOf = (resource: Resource) => ({ group: resource.group, version: resource.version, kind: resource.kind })

/** All versions of a kind hold the same (conversion None); two views of a built-in kind convert by their stored form. */
function inVersion(object: KubeObject, from: Resource, to: Resource): KubeObject {
  if (from === to) return object
  return { ...externalOf(to, storedOf(from, object)), apiVersion: groupVersionOf(to) }
}

function responseOf(body: string, uid: unknown): Tree {
  let review: unknown
  try {
    review = JSON.parse(body)
  } catch {
    throw new CallFailure('failed to call webhook: the answer is no JSON')
  }
  if (!isTree(review) || review['kind'] !== 'AdmissionReview' || review['apiVersion'] !== 'admission.k8s.io/v1')
    throw new CallFailure(
      'received invalid webhook response: expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview',
    )
  const response = treeAt(review, 'response')
  if (!response) throw new CallFailure('received invalid webhook response: webhook response was absent')
  if (response['uid'] !== uid)
    throw new CallFailure(
      `received invalid webhook response: expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response['uid'])}`,
    )
  return response
}

function denial(name: string, response: Tree): StatusError {
  const status = treeAt(response, 'status')
  const why = textAt(status, 'message') ?? textAt(status, 'reason') ?? ''
  const said = why === '' ? 'without explanation' : `: ${why}`
  const message = `admission webhook "${name}" denied the request${why === '' ? ' ' : ''}${said}`
  const code = numberAt(status, 'code') ?? 403
  const reason = textAt(status, 'reason') ?? (code === 403 ? 'Forbidden' : '')
  return new StatusError(code < 400 ? 403 : code, reason, message, textMapDetails(status))
}

function textMapDetails(status: Tree | undefined): Tree | undefined {
  const details = treeAt(status, 'details')
  return details ? { ...textMapAt(details), causes: treesAt(details, 'causes') } : undefined
}
