/** Who may read logs: the owner of a client certificate whom the API server allows nodes/proxy, as kubelets ask. */
import type { KubeClient, KubeObject, ResourceType } from '../../../../kube/client.ts'
import type { Clock } from '../../../../lib/clock.ts'

type SubjectAccessReview = KubeObject & { status?: { allowed?: boolean } }
const subjectAccessReviews: ResourceType<SubjectAccessReview> = {
  group: 'authorization.k8s.io',
  version: 'v1',
  plural: 'subjectaccessreviews',
  kind: 'SubjectAccessReview',
  namespaced: false,
}

export interface Caller {
  readonly name: string
  readonly organizations: readonly string[]
}
/** The API server allows them everything before it asks any authoriser. */
const masters = 'system:masters'
/** As kubelets remember answers. */
const allowedMs = 300_000
const deniedMs = 30_000
const maxRemembered = 100

export class LogCallers {
  readonly #options: { client: Pick<KubeClient, 'post'>; nodeName: string; clock: Clock }
  readonly #answers = new Map<string, { allowed: boolean; until: number }>()

  constructor(options: { client: Pick<KubeClient, 'post'>; nodeName: string; clock: Clock }) {
    this.#options = options
  }

  /** Throws when the API server gives no answer: nobody is let in on a guess. */
  async mayRead(caller: Caller): Promise<boolean> {
    if (caller.organizations.includes(masters)) return true
    const key = JSON.stringify([caller.name, caller.organizations])
    const now = this.#options.clock.monotonic()
    const known = this.#answers.get(key)
    if (known && now < known.until) return known.allowed
    const allowed = await this.#ask(caller)
    if (this.#answers.size >= maxRemembered) this.#answers.clear()
    this.#answers.set(key, { allowed, until: now + (allowed ? allowedMs : deniedMs) })
    return allowed
  }

  async #ask(caller: Caller): Promise<boolean> {
    const { client, nodeName } = this.#options
    const review = await client.post<SubjectAccessReview>(subjectAccessReviews, undefined, undefined, {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      metadata: {},
      spec: {
        user: caller.name,
        groups: [...caller.organizations, 'system:authenticated'],
        resourceAttributes: { verb: 'get', version: 'v1', resource: 'nodes', subresource: 'proxy', name: nodeName },
      },
    })
    return review.status?.allowed === true
  }
}
