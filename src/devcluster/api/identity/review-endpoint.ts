/** Requests for reviews: from the request's document to its answer. */
import type { Clock } from '../../../lib/clock.ts'
import { builtIn } from '../kinds/built-in.ts'
import { readObject } from '../requests/body.ts'
import { fieldValidationOf } from '../requests/context.ts'
import { checkPlace, decodeDocument } from '../requests/decode.ts'
import type { Resource } from '../resource.ts'
import type { BuiltInShapes } from '../shapes/built-in-shapes.ts'
import { methodNotAllowed } from '../status.ts'
import { type ApiRequest, type ApiResponse, jsonResponse } from '../wire.ts'
import { ownersOfQuestion } from './review-owners.ts'
import { type ReviewKind, type ReviewTools, reviewKinds } from './reviews.ts'
import type { User } from './user.ts'

export interface ReviewEndpointOptions extends ReviewTools {
  readonly shapes: BuiltInShapes
  readonly clock: Clock
}

/** The part of a path that matters here. */
export interface ReviewTarget {
  readonly group: string
  readonly version: string
  readonly plural: string
  readonly namespace: string | undefined
  readonly name: string | undefined
}

export class ReviewEndpoint {
  readonly kinds: readonly ReviewKind[]
  readonly #resources = new Map<ReviewKind, Resource>()
  readonly #clock: Clock

  constructor(options: ReviewEndpointOptions) {
    this.kinds = reviewKinds(options)
    this.#clock = options.clock
    for (const kind of this.kinds) this.#resources.set(kind, builtIn(options.shapes, kind))
  }

  /** The kind whose collection a path names. */
  find({ group, version, plural, namespace, name }: ReviewTarget): ReviewKind | undefined {
    const found = this.kinds.find((k) => k.group === group && k.version === version && k.plural === plural)
    return found && name === undefined && found.namespaced === (namespace !== undefined) ? found : undefined
  }

  async answer(
    kind: ReviewKind,
    request: ApiRequest,
    asker: { readonly user: User; readonly namespace: string | undefined; readonly warnings: string[] },
  ): Promise<ApiResponse> {
    if (request.method !== 'POST') throw methodNotAllowed()
    const resource = this.#resources.get(kind)
    if (!resource) throw new Error(`no such review: ${kind.kind}`)
    const document = await readObject(request.body ?? '', request.headers, kind.kind)
    const review = decodeDocument(resource, document, {
      validation: fieldValidationOf(request.query),
      warnings: asker.warnings,
    })
    // As the API server, which forgets a namespace where there is none.
    if (asker.namespace === undefined) delete review.metadata.namespace
    checkPlace(review, asker.namespace, undefined)
    const managedFields = ownersOfQuestion(resource, review, request, { nowMs: this.#clock.now() })
    if (managedFields) review.metadata.managedFields = managedFields
    return jsonResponse(201, kind.answer(review, asker))
  }
}
