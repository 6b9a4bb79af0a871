import { ask } from '../e2e/server-process.ts'
import type { WorkersNode } from '../e2e/workers-node.ts'
import type { Asker } from '../history/clients.ts'

/** A node with workers as clients of the history ask it: by fetch, whose connections go to all of them. */
export const askerOf = (node: WorkersNode): Asker => ({
  request: (method, path, body, token = node.rootToken) =>
    ask(`http://127.0.0.1:${node.port}`, method, path, body, token),
})
