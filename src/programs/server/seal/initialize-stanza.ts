/** `initialize "name" { request "id" { … } }`: what the server does by itself on its first start. */
import { blocks, hclToJson, members } from '../../../lib/hcl/read.ts'
import { HclError, type HclItem, type HclObject } from '../../../lib/hcl/tree.ts'
import type { Json } from '../../../lib/json/value.ts'
import { boolOf, checkSettings } from '../configuration/settings.ts'

export interface FirstRequest {
  readonly initialize: string
  readonly name: string
  /** Values, or objects with `eval_source` that say where the value is. */
  readonly operation: Json
  readonly path: Json
  readonly token?: Json
  readonly data?: Json
  readonly allowFailure: boolean
}

const nameForm = /^[A-Za-z_][A-Za-z0-9_-]*$/

/** In order. Throws HclError. */
export function readInitialize(document: HclObject): FirstRequest[] {
  const names = new Set<string>()
  return blocks(document, 'initialize', 1).flatMap(({ labels, body, ...at }) => {
    const initialize = uniqueName('initialize', labels[0] ?? '', names, at)
    checkSettings(body, { where: `initialize "${initialize}"`, read: ['request'] })
    const own = new Set<string>()
    return blocks(body, 'request', 1).map((request) => {
      const name = uniqueName('request', request.labels[0] ?? '', own, request)
      return { initialize, name, ...readRequest(request.body, name, request) }
    })
  })
}

function readRequest(body: HclObject, name: string, at: { line: number; column: number }) {
  checkSettings(body, {
    where: `request "${name}"`,
    read: ['operation', 'path', 'token', 'data', 'allow_failure'],
  })
  const settings = members(merged(body))
  const { operation, path, token, data, allow_failure: allow } = settings
  if (!operation || !path) throw new HclError(`request "${name}" needs an operation and a path`, at)
  return {
    operation: hclToJson(operation.value),
    path: hclToJson(path.value),
    ...(token ? { token: hclToJson(token.value) } : {}),
    ...(data ? { data: hclToJson(data.value) } : {}),
    allowFailure: allow ? (boolOf(allow) ?? false) : false,
  }
}

/** `data { … }` is written as a block as often as with an equals sign. */
function merged(body: HclObject): HclObject {
  const labelled = body.items.find((item: HclItem) => item.labels.length > 0)
  if (labelled) throw new HclError(`"${labelled.key}" takes no label`, labelled)
  return body
}

function uniqueName(kind: string, name: string, taken: Set<string>, at: { line: number; column: number }): string {
  if (!nameForm.test(name)) throw new HclError(`the name "${name}" of ${kind} must match ${nameForm.source}`, at)
  if (taken.has(name)) throw new HclError(`there are two ${kind} blocks named "${name}"`, at)
  taken.add(name)
  return name
}
