import { stringify } from 'yaml'
import type { KubeObject } from '../../kube/client.ts'
import { customResourceDefinitions } from './definitions.ts'

/** File name under deploy/crds -> its text. */
export function renderDefinitions(): ReadonlyMap<string, string> {
  return new Map(
    customResourceDefinitions().map((definition) => [`${definition.metadata.name}.yaml`, render(definition)]),
  )
}

function render(definition: KubeObject): string {
  const note = '# Generated from src/controller/crds by scripts/generate-crds.ts: edit there.\n'
  return note + stringify(definition, { aliasDuplicateObjects: false, lineWidth: 0, version: '1.1' })
}
