/**
 * The Kubernetes API as its users see it: objects in, objects out; implemented in rest-client.ts.
 *
 * Refusals of the server are thrown as ApiError, no (whole) answer within 90 s as Unreachable (transport/transport.ts); of a list
 * each part has that time. Five tries at most:
 * - reads, after 5xx and whenever there was no answer: four more within a second;
 * - every call, when there was no connection to send it on: likewise;
 * - every call, after 429 or 503 with Retry-After: after that time, 60 s at most, and up to a quarter of it longer.
 * A write that was sent and not answered is never sent again: it may have happened, and only its author knows what then.
 * After 401 the credentials are asked for anew, and the call is sent once more if that gives others.
 */

export interface ObjectMeta {
  name?: string
  generateName?: string
  namespace?: string
  uid?: string
  resourceVersion?: string
  generation?: number
  creationTimestamp?: string
  deletionTimestamp?: string
  deletionGracePeriodSeconds?: number
  labels?: Record<string, string>
  annotations?: Record<string, string>
  finalizers?: string[]
  ownerReferences?: OwnerReference[]
  managedFields?: ManagedFieldsEntry[]
}
export interface OwnerReference {
  apiVersion: string
  kind: string
  name: string
  uid: string
  controller?: boolean
  blockOwnerDeletion?: boolean
}
export interface ManagedFieldsEntry {
  manager?: string
  operation?: string
  apiVersion?: string
  time?: string
  fieldsType?: string
  fieldsV1?: Record<string, unknown>
  subresource?: string
}
export interface KubeObject {
  apiVersion: string
  kind: string
  metadata: ObjectMeta
  [member: string]: unknown
}

/** A resource type: { group: '', version: 'v1', plural: 'pods', kind: 'Pod', namespaced: true }. */
export interface ResourceType<T extends KubeObject = KubeObject> {
  readonly group: string
  readonly version: string
  readonly plural: string
  readonly kind: string
  readonly namespaced: boolean
  /** Never set; carries the object's type. */
  readonly _object?: T
}
export interface Ref {
  readonly namespace?: string
  readonly name: string
}
export interface ListOptions {
  /** Absent: all namespaces. */
  readonly namespace?: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
}
export interface KubeList<T> {
  readonly items: readonly T[]
  readonly resourceVersion: string
}

export interface Reader {
  /** Undefined when there is none (404 NotFound). */
  get<T extends KubeObject>(type: ResourceType<T>, ref: Ref, signal?: AbortSignal): Promise<T | undefined>
  /** Pages through `limit`/`continue` until all are there; when the pages expire meanwhile (410), all at once. */
  list<T extends KubeObject>(type: ResourceType<T>, options?: ListOptions, signal?: AbortSignal): Promise<KubeList<T>>
  /**
   * The whole set, then every change, for ever: reconnects (after 1 to 30 s when something is wrong), relists on 410, notices
   * silent links (90 s). A `synced` event ends each full list (objects that vanished meanwhile come as `deleted` before it). An
   * object that was deleted and made again comes as `deleted` and then `upserted`. Ends only by the signal.
   */
  watch<T extends KubeObject>(
    type: ResourceType<T>,
    options: ListOptions,
    signal: AbortSignal,
  ): AsyncIterable<WatchEvent<T>>
}
export type WatchEvent<T> = { readonly type: 'upserted' | 'deleted'; readonly object: T } | { readonly type: 'synced' }

export interface WriteOptions {
  readonly fieldManager?: string
  readonly subresource?: string
  readonly dryRun?: boolean
}
export interface Writer {
  create<T extends KubeObject>(type: ResourceType<T>, object: T, options?: WriteOptions): Promise<T>
  /** PUT: needs metadata.resourceVersion for a safe write; ApiError Conflict otherwise. */
  update<T extends KubeObject>(type: ResourceType<T>, object: T, options?: WriteOptions): Promise<T>
  patch<T extends KubeObject>(type: ResourceType<T>, ref: Ref, patch: Patch, options?: WriteOptions): Promise<T>
  /** Server-side apply. */
  apply<T extends KubeObject>(
    type: ResourceType<T>,
    object: T,
    options: WriteOptions & { fieldManager: string; force?: boolean },
  ): Promise<T>
  /** Absent objects are fine. */
  delete(
    type: ResourceType,
    ref: Ref,
    options?: { uid?: string; resourceVersion?: string; gracePeriodSeconds?: number; propagationPolicy?: string },
  ): Promise<void>
  /** POST to a subresource whose body is another kind: TokenRequest, eviction, and reviews (without ref). */
  post<R extends KubeObject>(
    type: ResourceType,
    ref: Ref | undefined,
    subresource: string | undefined,
    body: KubeObject,
  ): Promise<R>
}
export type Patch =
  | { readonly kind: 'merge'; readonly body: object }
  | { readonly kind: 'json'; readonly body: readonly object[] }
  | { readonly kind: 'strategic'; readonly body: object }

export interface KubeClient extends Reader, Writer {
  /** Anything else (logs, discovery, /version): path with query. Whatever the status; never tried again. */
  raw(request: {
    method: string
    path: string
    body?: string
    contentType?: string
    accept?: string
    signal?: AbortSignal
  }): Promise<{ status: number; body: string }>
  /** What is under way, or waits to be tried again, ends as Unreachable, and so does every later call. Watches end by their signal. */
  close(): Promise<void>
}

/** The API server said no: its Status object. */
export class ApiError extends Error {
  override name = 'ApiError'
  readonly status: number
  /** "NotFound", "Conflict", "AlreadyExists", "Invalid", "Forbidden", "Expired" … */
  readonly reason: string
  readonly retryAfterMs: number | undefined

  constructor(status: number, reason: string, message: string, retryAfterMs?: number) {
    super(message)
    this.status = status
    this.reason = reason
    this.retryAfterMs = retryAfterMs
  }
}
