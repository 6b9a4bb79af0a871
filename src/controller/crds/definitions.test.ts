import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { customResourceDefinitions } from './definitions.ts'
import { renderDefinitions } from './render.ts'
import type { Structural } from './structural.ts'

const folder = join(import.meta.dirname, '../../../deploy/crds')

interface Definition {
  spec: { versions: { name: string; served: boolean; storage: boolean; schema: { openAPIV3Schema: Structural } }[] }
}
const definitions = customResourceDefinitions().map((definition) => definition as unknown as Definition)

describe('the custom resource definitions', () => {
  it('are what deploy/crds holds (npx tsx scripts/generate-crds.ts)', () => {
    const files = new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]))
    expect(files).toEqual(renderDefinitions())
  })

  it('fit into the annotation of a client-side kubectl apply', () => {
    for (const definition of definitions) expect(JSON.stringify(definition).length).toBeLessThan(262_144 / 4)
  })

  it('serve v1 and v1beta1 with one schema, stored as v1', () => {
    for (const { spec } of definitions) {
      expect(spec.versions.map((v) => [v.name, v.served, v.storage])).toEqual([
        ['v1', true, true],
        ['v1beta1', true, false],
      ])
      expect(spec.versions[0]?.schema).toEqual(spec.versions[1]?.schema)
    }
  })

  it('have only defaults that ESO has in v1 too', () => {
    const found: string[] = []
    const walk = (schema: Structural, path: string) => {
      if (schema.default !== undefined) found.push(`${path} = ${JSON.stringify(schema.default)}`)
      for (const [name, member] of Object.entries(schema.properties ?? {})) walk(member, `${path}.${name}`)
      if (schema.items) walk(schema.items, `${path}[]`)
    }
    for (const { spec } of definitions) walk(spec.versions[0]!.schema.openAPIV3Schema, '')
    expect(found).toMatchInlineSnapshot(`
      [
        ".spec.target = {"creationPolicy":"Owner","deletionPolicy":"Retain"}",
        ".spec.target.creationPolicy = "Owner"",
        ".spec.target.deletionPolicy = "Retain"",
        ".spec.target.template.engineVersion = "v2"",
        ".spec.target.template.mergePolicy = "Replace"",
        ".spec.target.template.templateFrom[].configMap.items[].templateAs = "Values"",
        ".spec.target.template.templateFrom[].secret.items[].templateAs = "Values"",
        ".spec.target.template.templateFrom[].target = "Data"",
        ".spec.refreshInterval = "1h0m0s"",
        ".spec.data[].sourceRef.generatorRef.apiVersion = "generators.external-secrets.io/v1alpha1"",
        ".spec.dataFrom[].rewrite[].merge.into = """,
        ".spec.dataFrom[].rewrite[].merge.priorityPolicy = "Strict"",
        ".spec.dataFrom[].rewrite[].merge.conflictPolicy = "Error"",
        ".spec.dataFrom[].rewrite[].merge.strategy = "Extract"",
        ".spec.dataFrom[].sourceRef.generatorRef.apiVersion = "generators.external-secrets.io/v1alpha1"",
        ".status.binding.name = """,
        ".spec.provider.vault.version = "v2"",
        ".spec.provider.vault.auth.kubernetes.mountPath = "kubernetes"",
      ]
    `)
  })

  it('are structural: every member has a type', () => {
    const walk = (schema: Structural, path: string) => {
      expect(schema.type ?? schema['x-kubernetes-int-or-string'], path).toBeDefined()
      for (const [name, member] of Object.entries(schema.properties ?? {})) walk(member, `${path}.${name}`)
      if (schema.items) walk(schema.items, `${path}[]`)
    }
    for (const { spec } of definitions) walk(spec.versions[0]!.schema.openAPIV3Schema, '')
  })
})
