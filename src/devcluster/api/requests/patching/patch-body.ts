/** From the body of a PATCH request to the patch in it, and what a strict reader has against it. */
import { badRequest } from '../../status.ts'
import { isTree, treeProblem } from '../../tree.ts'
import { mediaTypes } from '../body.ts'
import type { FieldValidation } from '../context.ts'

export interface ParsedPatch {
  readonly patch: unknown
  readonly problems: readonly string[]
}

export function parsePatch(body: string, type: string, validation: FieldValidation): ParsedPatch {
  const isOperations = type === mediaTypes.jsonPatch
  const strict = validation !== 'Ignore'
  const context = strict && type !== mediaTypes.strategicPatch ? 'error decoding patch: ' : ''
  const patch = parsed(body, context, type)
  const problem = treeProblem(patch)
  if (problem) throw badRequest(context + problem)
  if (isOperations) {
    const wanted = strict ? '[]handlers.jsonPatchOp' : 'jsonpatch.Patch'
    if (!Array.isArray(patch)) throw mismatch(context, patch, wanted)
    return { patch, problems: strict ? patch.flatMap(operationProblems) : [] }
  }
  if (type === mediaTypes.mergePatch && (patch === null || (!strict && !isTree(patch))))
    throw badRequest('Invalid JSON Patch')
  if (!isTree(patch)) throw mismatch(context, patch, 'map[string]interface {}')
  return { patch, problems: [] }
}

function parsed(body: string, context: string, type: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    // Where JSON ends too soon or goes wrong is said as Go says it for an empty body, the one case that clients meet.
    if (context === '' && type === mediaTypes.mergePatch) throw badRequest('Invalid JSON Patch')
    throw badRequest(`${context}${body.trim() === '' ? 'unexpected end of JSON input' : 'invalid JSON'}`)
  }
}

function mismatch(context: string, value: unknown, wanted: string) {
  const kind = value === null ? 'null' : Array.isArray(value) ? 'array' : isTree(value) ? 'object' : typeof value
  return badRequest(`${context}json: cannot unmarshal ${kind} into Go value of type ${wanted}`)
}

const operationMembers = ['op', 'path', 'from', 'value']

function operationProblems(operation: unknown, index: number): string[] {
  const unknown = Object.keys(isTree(operation) ? operation : {}).filter((name) => !operationMembers.includes(name))
  return unknown.map((name) => `json patch unknown field "[${index}].${name}"`)
}
