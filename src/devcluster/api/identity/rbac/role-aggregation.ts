/** ClusterRoles with an aggregationRule get the rules of those that it selects (k8s.io/kubernetes/pkg/controller/clusterroleaggregation). */
import type { KubeObject } from '../../../../kube/client.ts'
import type { Clock } from '../../../../lib/clock.ts'
import type { Logger } from '../../../../lib/log.ts'
import { mediaTypes } from '../../requests/body.ts'
import type { ObjectWriter } from '../../requests/object-writer.ts'
import { serverSideApply } from '../../requests/patching/apply-request.ts'
import type { ResourceTable } from '../../resource.ts'
import type { ObjectStore } from '../../store/object-store.ts'
import { matchesLabels, readLabelSelector } from '../../store/selectors.ts'
import { equal, isTree, type Tree, treesAt } from '../../tree.ts'
import { systemUser } from '../user.ts'
import { rbacGroup } from './binding-index.ts'

export interface RoleAggregationOptions {
  readonly store: ObjectStore
  readonly resources: ResourceTable
  readonly writer: ObjectWriter
  readonly clock: Clock
  readonly log: Logger
}

const collection = `clusterroles.${rbacGroup}`
const manager = 'clusterrole-aggregation-controller'

export class RoleAggregation {
  readonly #options: RoleAggregationOptions
  #work: Promise<void> = Promise.resolve()
  #asked = false

  constructor(options: RoleAggregationOptions) {
    this.#options = options
  }

  start(): () => void {
    return this.#options.store.subscribe((event) => {
      if (event.collection === collection) this.#ask()
    })
  }

  /** Resolves when every role has its rules. */
  async idle(): Promise<void> {
    let work: Promise<void>
    do {
      work = this.#work
      await work
    } while (work !== this.#work)
  }

  /** Several changes in a row are looked at together. */
  #ask(): void {
    if (this.#asked) return
    this.#asked = true
    this.#work = this.#work.then(() => this.#gatherAll()).catch(this.#failed)
  }

  #failed = (error: unknown): void => {
    const why = error instanceof Error ? error.message : String(error)
    this.#options.log.error('role aggregation failed', { why })
  }

  async #gatherAll(): Promise<void> {
    this.#asked = false
    for (const role of this.#options.store.list(collection)) {
      if (!isTree(role['aggregationRule'])) continue
      // As they are by now: two roles that gather each other would else swap their rules for ever.
      const roles = this.#options.store.list(collection)
      const rules = gather(role, roles)
      if (!equal(rules, treesAt(role, 'rules'))) await this.#write(role, rules)
    }
  }

  /** An apply, as the controller's: where nothing is gathered, rules that somebody else wrote stay. */
  async #write(role: KubeObject, rules: readonly Tree[]): Promise<void> {
    const { store, resources, writer, clock } = this.#options
    const resource = resources.findCollection(collection)
    const { name = '' } = role.metadata
    if (!resource || !store.get(collection, undefined, name)) return
    const query = new URLSearchParams({ fieldManager: manager, force: 'true' })
    const { apiVersion, kind } = role
    const body = JSON.stringify({ apiVersion, kind, metadata: { name }, ...(rules.length > 0 ? { rules } : {}) })
    const place = { resource, namespace: undefined, name, subresource: undefined, user: systemUser, warnings: [] }
    const headers = { 'content-type': mediaTypes.applyPatch }
    await serverSideApply(
      { store, writer, clock, authorize: () => {} },
      { ...place, query, headers, body, signal: undefined },
      { ...place, manager, dryRun: false },
    )
  }
}

/** Role after role in the order of their names, each rule once. */
function gather(role: KubeObject, roles: readonly KubeObject[]): readonly Tree[] {
  const out: Tree[] = []
  for (const selector of treesAt(role, 'aggregationRule', 'clusterRoleSelectors')) {
    const wanted = readLabelSelector(selector)
    if (!wanted) continue
    for (const other of roles) {
      if (other.metadata.name === role.metadata.name || !matchesLabels(wanted, other.metadata.labels)) continue
      for (const rule of treesAt(other, 'rules')) if (!out.some((known) => equal(known, rule))) out.push(rule)
    }
  }
  return out
}
