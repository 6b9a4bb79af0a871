/** Roles, their bindings, and leases. */
import type { KubeObject } from '../../../kube/client.ts'
import { type FieldProblem, invalid, notSupported, required } from '../field-problem.ts'
import { labelRequirementProblems } from '../identity/review-selectors.ts'
import { equal, isTree, listAt, numberAt, type Tree, textAt, textMapAt, textsAt, treeAt, treesAt } from '../tree.ts'
import type { BuiltInKind } from './built-in.ts'
import { ageColumn, column, nameColumn, textColumn } from './columns.ts'
import { labelProblems } from './metadata-rules.ts'
import { dnsSubdomainProblem, pathSegmentProblem } from './names.ts'

const rbac = {
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  nameProblem: pathSegmentProblem,
  createOnUpdate: true,
}
const createdColumn = column('Created At', 'date', (object) => object.metadata.creationTimestamp ?? '')

export const rbacKinds: readonly BuiltInKind[] = [
  {
    ...rbac,
    plural: 'roles',
    kind: 'Role',
    type: 'rbac.Role',
    columns: [nameColumn, createdColumn],
    emptyTable: 'null',
    fillDefaults: fillRules,
    validate: (role) => rulesProblems(role, true),
  },
  {
    ...rbac,
    plural: 'clusterroles',
    kind: 'ClusterRole',
    type: 'rbac.ClusterRole',
    namespaced: false,
    columns: [nameColumn, createdColumn],
    emptyTable: 'null',
    fillDefaults: fillRules,
    validate: (role) => [...rulesProblems(role, false), ...aggregationProblems(role)],
  },
  {
    ...rbac,
    plural: 'rolebindings',
    kind: 'RoleBinding',
    type: 'rbac.RoleBinding',
    columns: bindingColumns(),
    fillDefaults: fillBinding,
    validate: (binding, before) => bindingProblems(binding, before, ['Role', 'ClusterRole']),
  },
  {
    ...rbac,
    plural: 'clusterrolebindings',
    kind: 'ClusterRoleBinding',
    type: 'rbac.ClusterRoleBinding',
    namespaced: false,
    columns: bindingColumns(),
    fillDefaults: fillBinding,
    validate: (binding, before) => bindingProblems(binding, before, ['ClusterRole']),
  },
]

/** To Go an empty list of rules is none. */
function fillRules(role: KubeObject): void {
  if (listAt(role, 'rules').length === 0) role['rules'] = null
}

function bindingColumns() {
  const role = column('Role', 'string', (b) => `${textAt(b, 'roleRef', 'kind')}/${textAt(b, 'roleRef', 'name')}`)
  const subjects = (kind: string) => (binding: KubeObject) =>
    treesAt(binding, 'subjects')
      .filter((subject) => subject['kind'] === kind)
      .map((subject) =>
        kind === 'ServiceAccount'
          ? `${textAt(subject, 'namespace')}/${textAt(subject, 'name')}`
          : textAt(subject, 'name'),
      )
      .join(', ')
  return [
    nameColumn,
    role,
    ageColumn,
    column('Users', 'string', subjects('User'), 1),
    column('Groups', 'string', subjects('Group'), 1),
    column('ServiceAccounts', 'string', subjects('ServiceAccount'), 1),
  ]
}

function rulesProblems(role: KubeObject, namespaced: boolean): readonly FieldProblem[] {
  return treesAt(role, 'rules').flatMap((rule, index) => ruleProblems(rule, namespaced, `rules[${index}]`))
}

function ruleProblems(rule: Tree, namespaced: boolean, path: string): readonly FieldProblem[] {
  const out: FieldProblem[] = []
  const has = (member: string) => textsAt(rule, member).length > 0
  if (!has('verbs')) out.push(required(`${path}.verbs`, 'verbs must contain at least one value'))
  const urls = textsAt(rule, 'nonResourceURLs')
  if (urls.length > 0) {
    const field = `${path}.nonResourceURLs`
    if (namespaced) out.push(invalid(field, urls, 'namespaced rules cannot apply to non-resource URLs'))
    if (has('apiGroups') || has('resources') || has('resourceNames'))
      out.push(invalid(field, urls, 'rules cannot apply to both regular resources and non-resource URLs'))
    return out
  }
  if (!has('apiGroups')) out.push(required(`${path}.apiGroups`, 'resource rules must supply at least one api group'))
  if (!has('resources')) out.push(required(`${path}.resources`, 'resource rules must supply at least one resource'))
  return out
}

function aggregationProblems(role: KubeObject): readonly FieldProblem[] {
  if (!isTree(role['aggregationRule'])) return []
  const path = 'aggregationRule.clusterRoleSelectors'
  const selectors = treesAt(role, 'aggregationRule', 'clusterRoleSelectors')
  if (selectors.length === 0)
    return [required(path, 'at least one clusterRoleSelector required if aggregationRule is non-nil')]
  return selectors.flatMap((selector, index) => selectorProblems(selector, `${path}[${index}]`))
}

function selectorProblems(selector: Tree, path: string): readonly FieldProblem[] {
  const problems = treesAt(selector, 'matchExpressions').flatMap((expression, index) =>
    labelRequirementProblems(expression, `${path}.matchExpressions[${index}]`, true),
  )
  const labels = labelProblems(textMapAt(selector, 'matchLabels'), `${path}.matchLabels`)
  const all = [...labels, ...problems]
  // Kubernetes reads the selector too, and says so once more.
  return all.length === 0 ? [] : [...all, invalid(path, null, 'invalid label selector.')]
}

function fillBinding(binding: KubeObject): void {
  const role = treeAt(binding, 'roleRef')
  if (role && !role['apiGroup']) role['apiGroup'] = rbac.group
  for (const subject of treesAt(binding, 'subjects'))
    if (['User', 'Group'].includes(textAt(subject, 'kind') ?? '') && !subject['apiGroup'])
      subject['apiGroup'] = rbac.group
}

function bindingProblems(
  binding: KubeObject,
  before: KubeObject | undefined,
  kinds: readonly string[],
): readonly FieldProblem[] {
  const role = binding['roleRef']
  const [apiGroup, kind, name] = ['apiGroup', 'kind', 'name'].map((member) => textAt(role, member) ?? '')
  const out: FieldProblem[] = []
  if (apiGroup !== rbac.group) out.push(notSupported('roleRef.apiGroup', apiGroup, [rbac.group]))
  if (!kinds.includes(kind ?? '')) out.push(notSupported('roleRef.kind', kind, kinds))
  if (!name) out.push(required('roleRef.name'))
  else {
    const why = pathSegmentProblem(name)
    if (why) out.push(invalid('roleRef.name', name, why))
  }
  const namespaced = binding.metadata.namespace !== undefined
  treesAt(binding, 'subjects').forEach((subject, index) => {
    out.push(...subjectProblems(subject, namespaced, `subjects[${index}]`))
  })
  if (before && !equal(role, before['roleRef']))
    // As Go prints the struct, which has no names for JSON.
    out.push(invalid('roleRef', { APIGroup: apiGroup, Kind: kind, Name: name }, 'cannot change roleRef'))
  return out
}

function subjectProblems(subject: Tree, namespaced: boolean, path: string): readonly FieldProblem[] {
  const name = textAt(subject, 'name') ?? ''
  const kind = textAt(subject, 'kind') ?? ''
  const apiGroup = textAt(subject, 'apiGroup') ?? ''
  const out: FieldProblem[] = []
  if (name === '') out.push(required(`${path}.name`))
  switch (kind) {
    case 'ServiceAccount': {
      const why = name === '' ? undefined : dnsSubdomainProblem(name)
      if (why) out.push(invalid(`${path}.name`, name, why))
      if (apiGroup !== '') out.push(notSupported(`${path}.apiGroup`, apiGroup, ['']))
      if (!namespaced && !textAt(subject, 'namespace')) out.push(required(`${path}.namespace`))
      return out
    }
    case 'User':
    case 'Group':
      if (apiGroup !== rbac.group) out.push(notSupported(`${path}.apiGroup`, apiGroup, [rbac.group]))
      return out
    default:
      return [...out, notSupported(`${path}.kind`, kind, ['ServiceAccount', 'User', 'Group'])]
  }
}

export const leaseKind: BuiltInKind = {
  group: 'coordination.k8s.io',
  version: 'v1',
  plural: 'leases',
  kind: 'Lease',
  type: 'coordination.Lease',
  unconditionalUpdate: false,
  createOnUpdate: true,
  prepareCreate: dropElection,
  prepareUpdate: dropElection,
  validate: leaseProblems,
  columns: [nameColumn, textColumn('Holder', 'spec', 'holderIdentity'), ageColumn],
}

/** Fields of a feature that is off by default (CoordinatedLeaderElection). Who sent them owns them all the same. */
function dropElection(lease: KubeObject): void {
  const spec = treeAt(lease, 'spec')
  delete spec?.['strategy']
  delete spec?.['preferredHolder']
}

function leaseProblems(lease: KubeObject): FieldProblem[] {
  const seconds = numberAt(lease, 'spec', 'leaseDurationSeconds')
  const transitions = numberAt(lease, 'spec', 'leaseTransitions')
  const out: FieldProblem[] = []
  if (seconds !== undefined && seconds <= 0)
    out.push(invalid('spec.leaseDurationSeconds', seconds, 'must be greater than 0'))
  if (transitions !== undefined && transitions < 0)
    out.push(invalid('spec.leaseTransitions', transitions, 'must be greater than or equal to 0'))
  return out
}
