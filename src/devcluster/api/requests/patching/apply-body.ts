/** The document of a server-side apply: YAML 1.1, of which JSON is a part. */
import { badRequest } from '../../status.ts'
import { isTree, type Tree, treeProblem } from '../../tree.ts'
import { mediaTypes } from '../body.ts'
import { duplicateFields, repetitions } from '../duplicate-fields.ts'

export interface ApplyBody {
  readonly document: Tree
  /** What a strict reader has against it. */
  readonly problem: string | undefined
}

export async function readApplyBody(body: string): Promise<ApplyBody> {
  const json = parseJson(body)
  const value = json === undefined ? await parseYaml(body) : json.value
  const tooDeep = treeProblem(value)
  if (tooDeep) throw badRequest(`error decoding YAML: ${tooDeep}`)
  if (value !== null && !isTree(value))
    throw badRequest(
      `error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal ${Array.isArray(value) ? 'array' : typeof value} into Go value of type map[string]interface {}`,
    )
  // A document of JSON is searched as JSON first, which is much faster.
  const mayRepeat = json === undefined || duplicateFields(body).length > 0
  const [repeated] = mayRepeat ? await repetitions(body, mediaTypes.yaml) : []
  return {
    document: isTree(value) ? value : {},
    problem: repeated === undefined ? undefined : `error converting YAML to JSON: ${repeated}`,
  }
}

function parseJson(body: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(body) }
  } catch {
    return undefined
  }
}

async function parseYaml(body: string): Promise<unknown> {
  const yaml = await import('yaml')
  try {
    const options = { version: '1.1', uniqueKeys: false, maxAliasCount: 100, logLevel: 'silent' } as const
    return JSON.parse(JSON.stringify(yaml.parse(body, options) ?? null))
  } catch (error) {
    throw badRequest(`error decoding YAML: ${error instanceof Error ? error.message : ''}`)
  }
}
