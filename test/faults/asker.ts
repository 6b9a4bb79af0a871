import type { WorkersNode } from '../e2e/workers-node.ts'
import type { Asker } from '../history/clients.ts'

/** A node with workers as clients of the history ask it: by fetch, whose connections go to all of them. */
export const askerOf = (node: WorkersNode): Asker => ({
  async request(method, path, body, token = node.rootToken) {
    const answer = await fetch(`http://127.0.0.1:${node.port}/v1/${path}`, {
      method,
      headers: token ? { 'X-Vault-Token': token } : {},
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    let json: unknown
    try {
      json = JSON.parse(text)
    } catch {
      json = undefined
    }
    return { status: answer.status, text, json }
  },
})
