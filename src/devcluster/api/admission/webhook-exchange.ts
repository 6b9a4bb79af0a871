/** One question to a webhook: the review it gets, the answer that can be used, or why there is none. */
import type { KubeObject } from '../../../kube/client.ts'
import { type RandomBytes, uuid } from '../../../lib/random.ts'
import { userInfo } from '../identity/user.ts'
import { externalOf, groupVersionOf, type Resource, storedOf } from '../resource.ts'
import { badRequest, StatusError } from '../status.ts'
import { isTree, numberAt, type Tree, textAt, textMapAt, textsAt, treeAt, treeProblem, treesAt } from '../tree.ts'
import type { AdmissionAttempt } from './admission.ts'
import type { WebhookCall } from './webhook-call.ts'

/** Why no usable answer came; failurePolicy decides what that means. */
export class CallFailure extends Error {
  override name = 'CallFailure'
}

export type Review = Tree & { readonly request: Tree }

export function reviewOf(attempt: AdmissionAttempt, wanted: Resource, random: RandomBytes): Review {
  const { resource, subresource } = attempt
  const shown = (object: KubeObject | undefined) => (object ? inVersion(object, resource, wanted) : null)
  const below = (member: string) => (subresource ? { [member]: subresource } : {})
  return {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: uuid(random),
      kind: kindOf(wanted),
      resource: { group: wanted.group, version: wanted.version, resource: wanted.plural },
      ...below('subResource'),
      requestKind: kindOf(resource),
      requestResource: { group: resource.group, version: resource.version, resource: resource.plural },
      ...below('requestSubResource'),
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

const kindOf = (resource: Resource) => ({ group: resource.group, version: resource.version, kind: resource.kind })

/** All versions of a kind hold the same (conversion None); two views of a built-in kind convert by their stored form. */
export function inVersion(object: KubeObject, from: Resource, to: Resource): KubeObject {
  if (from === to) return object
  return { ...externalOf(to, storedOf(from, object)), apiVersion: groupVersionOf(to) }
}

/** The `response` of an answer that allows; throws CallFailure, or the refusal. */
export async function askWebhook(
  webhook: Tree,
  review: Review,
  attempt: AdmissionAttempt,
  call: WebhookCall,
): Promise<Tree> {
  const name = textAt(webhook, 'name') ?? ''
  const effects = textAt(webhook, 'sideEffects')
  if (attempt.dryRun && effects !== 'None' && effects !== 'NoneOnDryRun')
    throw badRequest(`admission webhook "${name}" does not support dry run`)
  const response = await exchange(webhook, review, call)
  for (const warning of textsAt(response, 'warnings')) attempt.warnings.push(warning)
  if (response['allowed'] !== true) throw denial(name, response)
  return response
}

async function exchange(webhook: Tree, review: Review, call: WebhookCall): Promise<Tree> {
  const seconds = numberAt(webhook, 'timeoutSeconds') ?? 10
  const url = `${textAt(webhook, 'clientConfig', 'url')}?timeout=${seconds}s`
  const bundle = textAt(webhook, 'clientConfig', 'caBundle')
  const caPem = bundle ? Buffer.from(bundle, 'base64').toString('utf8') : undefined
  if (caPem !== undefined && !caPem.includes('-----BEGIN CERTIFICATE-----'))
    throw new CallFailure(
      'could not get REST client: unable to load root certificates: unable to parse bytes as PEM block',
    )
  let answer: { readonly status: number; readonly body: string }
  try {
    answer = await call({
      url,
      caPem,
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

function responseOf(body: string, uid: unknown): Tree {
  let review: unknown
  try {
    review = JSON.parse(body)
  } catch (error) {
    const why = error instanceof Error ? error.message : ''
    throw new CallFailure(`failed to call webhook: couldn't get version/kind; json parse error: ${why}`)
  }
  const problem = treeProblem(review)
  if (problem) throw new CallFailure(`received invalid webhook response: ${problem}`)
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
  const why = textAt(status, 'message') || textAt(status, 'reason') || ''
  const said = why === '' ? ' without explanation' : `: ${why}`
  // A refusal is an error, whatever the webhook calls it, and one that HTTP can carry.
  const given = numberAt(status, 'code') ?? 0
  const code = Number.isInteger(given) && given > 400 && given < 1000 ? given : 400
  const message = `admission webhook "${name}" denied the request${said}`
  return new StatusError(code, textAt(status, 'reason') ?? '', message, detailsOf(status))
}

function detailsOf(status: Tree | undefined): Tree | undefined {
  const details = treeAt(status, 'details')
  return details ? { ...textMapAt(details), causes: treesAt(details, 'causes') } : undefined
}
