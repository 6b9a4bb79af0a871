import { ApiError, type KubeClient, type KubeObject, type Patch, type WatchEvent } from '../../kube/client.ts'
import type { MutatingWebhookConfiguration } from '../../kube/object-types.ts'
import { applyJsonPatch, type JsonPatchOperation } from '../patch/json-patch.ts'

/** One MutatingWebhookConfiguration behind the part of the client that the registration uses. For tests. */
export class InProcessKube {
  found: MutatingWebhookConfiguration | undefined
  patches = 0
  readonly #conflict: boolean
  #failures: number

  /** `failures`: so many patches are answered 503. */
  constructor(given?: { caBundle: string; conflict?: boolean; failures?: number }) {
    this.#conflict = given?.conflict ?? false
    this.#failures = given?.failures ?? 0
    if (!given) return
    this.found = {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'MutatingWebhookConfiguration',
      metadata: { name: 'cfg', resourceVersion: '1' },
      webhooks: [
        {
          name: 'vault.hashicorp.com',
          admissionReviewVersions: ['v1'],
          sideEffects: 'None',
          clientConfig: { service: { name: 's', namespace: 'n' }, caBundle: given.caBundle },
        },
      ],
    }
  }

  setBundle(caBundle: string) {
    const clientConfig = this.found?.webhooks?.[0]?.clientConfig
    if (clientConfig) clientConfig.caBundle = caBundle
  }

  client(): KubeClient {
    const refuse = () => {
      throw new Error('the registration does not use this')
    }
    const events = () => this.#events()
    return {
      get: refuse,
      list: refuse,
      create: refuse,
      update: refuse,
      delete: refuse,
      post: refuse,
      raw: refuse,
      close: async () => {},
      apply: async <T extends KubeObject>(_type: unknown, object: T) => {
        this.#set({ ...object, metadata: { ...object.metadata, resourceVersion: '1' } })
        return object
      },
      patch: async <T extends KubeObject>(_type: unknown, _ref: unknown, patch: Patch): Promise<T> =>
        this.#patch(patch),
      watch: () => events() as AsyncIterable<never>,
    }
  }

  #set(object: unknown) {
    this.found = object as MutatingWebhookConfiguration
  }

  #patch<T>(patch: Patch): T {
    if (this.#conflict) throw new ApiError(409, 'Conflict', 'the object has been modified')
    if (this.#failures > 0) {
      this.#failures -= 1
      throw new ApiError(503, 'ServiceUnavailable', 'the server is starting')
    }
    this.patches += 1
    if (patch.kind === 'json') this.#set(applyJsonPatch(this.found, patch.body as readonly JsonPatchOperation[]))
    return this.found as T
  }

  async *#events(): AsyncGenerator<WatchEvent<KubeObject>> {
    if (this.found) yield { type: 'upserted', object: structuredClone(this.found) }
    yield { type: 'synced' }
  }
}
