/** JSON Merge Patch (RFC 7386). */
import { isTree, type Tree } from '../tree.ts'

/** The patched value; neither argument is changed. */
export function applyMergePatch(target: unknown, patch: unknown): unknown {
  if (!isTree(patch)) return structuredClone(patch)
  const out: Tree = isTree(target) ? { ...target } : {}
  for (const [member, value] of Object.entries(patch)) {
    if (value === null) delete out[member]
    else out[member] = applyMergePatch(out[member], value)
  }
  return out
}
