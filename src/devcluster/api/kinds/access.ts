/** Roles, their bindings, and leases. */
import type { KubeObject } from '../../../kube/client.ts'
import { type FieldProblem, forbidden, immutable, notSupported, required } from '../field-problem.ts'
import { equal, isTree, setDefault, textAt, textsAt, treeAt, treesAt } from '../tree.ts'
import type { BuiltInKind } from './built-in.ts'
import { ageColumn, column, nameColumn, textColumn } from './columns.ts'
import { pathSegmentProblem } from './names.ts'

const rbac = { group: 'rbac.authorization.k8s.io', version: 'v1', nameProblem: pathSegmentProblem }
const createdColumn = column('Created At', 'date', (object) => object.metadata.creationTimestamp ?? '')

export const rbacKinds: readonly BuiltInKind[] = [
  {
    ...rbac,
    plural: 'roles',
    kind: 'Role',
    type: 'rbac.Role',
    columns: [nameColumn, createdColumn],
    validate: ruleProblems,
  },
  {
    ...rbac,
    plural: 'clusterroles',
    kind: 'ClusterRole',
    type: 'rbac.ClusterRole',
    namespaced: false,
    columns: [nameColumn, createdColumn],
    validate: ruleProblems,
  },
  {
    ...rbac,
    plural: 'rolebindings',
    kind: 'RoleBinding',
    type: 'rbac.RoleBinding',
    columns: bindingColumns(),
    fillDefaults: fillBinding,
    validate: (binding, before) => bindingProblems(binding, before, ['ClusterRole', 'Role']),
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

function ruleProblems(role: KubeObject): FieldProblem[] {
  if (role['aggregationRule'] !== undefined)
    return [forbidden('aggregationRule', 'the development cluster does not aggregate roles')]
  return treesAt(role, 'rules').flatMap((rule, index) => {
    const path = `rules[${index}]`
    const out: FieldProblem[] = []
    if (textsAt(rule, 'verbs').length === 0)
      out.push(required(`${path}.verbs`, 'verbs must contain at least one value'))
    if (textsAt(rule, 'nonResourceURLs').length > 0) return out
    if (!Array.isArray(rule['apiGroups']) || rule['apiGroups'].length === 0)
      out.push(required(`${path}.apiGroups`, 'resource rules must supply at least one api group'))
    if (textsAt(rule, 'resources').length === 0)
      out.push(required(`${path}.resources`, 'resource rules must supply at least one resource'))
    return out
  })
}

function fillBinding(binding: KubeObject): void {
  const role = treeAt(binding, 'roleRef')
  if (role) setDefault(role, 'apiGroup', rbac.group)
  for (const subject of treesAt(binding, 'subjects'))
    setDefault(subject, 'apiGroup', subject['kind'] === 'ServiceAccount' ? '' : rbac.group)
}

function bindingProblems(
  binding: KubeObject,
  before: KubeObject | undefined,
  kinds: readonly string[],
): FieldProblem[] {
  const role = binding['roleRef']
  const out: FieldProblem[] = []
  const kind = textAt(role, 'kind')
  if (!kinds.includes(kind ?? '')) out.push(notSupported('roleRef.kind', kind ?? '', kinds))
  if (!textAt(role, 'name')) out.push(required('roleRef.name'))
  treesAt(binding, 'subjects').forEach((subject, index) => {
    const path = `subjects[${index}]`
    const subjectKind = textAt(subject, 'kind') ?? ''
    if (!textAt(subject, 'name')) out.push(required(`${path}.name`))
    if (!['ServiceAccount', 'User', 'Group'].includes(subjectKind))
      out.push(notSupported(`${path}.kind`, subjectKind, ['Group', 'ServiceAccount', 'User']))
    if (subjectKind === 'ServiceAccount' && !textAt(subject, 'namespace')) out.push(required(`${path}.namespace`))
  })
  if (before && isTree(role) && !equal(role, before['roleRef'])) out.push(immutable('roleRef', role))
  return out
}

export const leaseKind: BuiltInKind = {
  group: 'coordination.k8s.io',
  version: 'v1',
  plural: 'leases',
  kind: 'Lease',
  type: 'coordination.Lease',
  unconditionalUpdate: false,
  columns: [nameColumn, textColumn('Holder', 'spec', 'holderIdentity'), ageColumn],
}
