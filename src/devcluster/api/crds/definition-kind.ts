/** CustomResourceDefinitions as objects: defaults, rules, what is kept over a change. */
import type { KubeObject } from '../../../kube/client.ts'
import type { BuiltInKind } from '../kinds/built-in.ts'
import { column, nameColumn } from '../kinds/columns.ts'
import { ensureTree, setDefault, type Tree, textAt, textsAt, treeAt, treesAt } from '../tree.ts'
import { definitionProblems } from './definition/definition-rules.ts'

export const definitionCollection = 'customresourcedefinitions.apiextensions.k8s.io'

export const definitionKind: BuiltInKind = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  type: 'apiextensions.CustomResourceDefinition',
  shortNames: ['crd', 'crds'],
  categories: ['api-extensions'],
  namespaced: false,
  subresources: { status: true },
  generation: 'spec',
  columns: [nameColumn, column('Created At', 'date', (crd) => crd.metadata.creationTimestamp ?? '')],
  fillDefaults: (crd) => {
    const names = ensureTree(crd, 'spec', 'names')
    const kind = textAt(names, 'kind') ?? ''
    setDefault(names, 'singular', kind.toLowerCase())
    setDefault(names, 'listKind', `${kind}List`)
    setDefault(ensureTree(crd, 'spec', 'conversion'), 'strategy', 'None')
  },
  // Whether its names are free is found out once it is stored (custom-resources.ts).
  prepareCreate: (crd) => {
    crd['status'] = { conditions: null, acceptedNames: { plural: '', kind: '' }, storedVersions: storedVersions(crd) }
  },
  prepareUpdate: (crd, before) => {
    crd['status'] = { ...treeAt(before, 'status'), storedVersions: storedVersions(crd, before) }
  },
  validate: definitionProblems,
}

function storedVersions(crd: KubeObject, before?: Tree): string[] {
  const stored = new Set(textsAt(before, 'status', 'storedVersions'))
  for (const version of treesAt(crd, 'spec', 'versions'))
    if (version['storage'] === true) stored.add(textAt(version, 'name') ?? '')
  return [...stored]
}
