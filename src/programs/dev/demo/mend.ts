import { nodeTaint } from '../cluster/roles.ts'

/** The seed's Deployment lacks what every API server requires; these four lines and nothing else are added. */
const selector = ['  selector:', '    matchLabels: {app: my-app}']
const labels = ['      labels:', '        app: my-app']

/** Our node is tainted, and others are there: the pod has to ask for it. */
const placement = (node: string) => [
  `      nodeSelector: {kubernetes.io/hostname: ${node}}`,
  `      tolerations: [{key: ${nodeTaint.key}, operator: Exists, effect: ${nodeTaint.effect}}]`,
]

/** `node`: where its pod is to run, when that does not go by itself. */
export function mendDeployment(published: string, node?: string): string {
  return published
    .split('\n')
    .flatMap((line, index, all) => {
      if (line === 'spec:') return [line, ...selector]
      // The first `metadata:` below `template:` is the pod's.
      if (line === '    metadata:' && all[index - 1] === '  template:') return [line, ...labels]
      if (node && line === '    spec:') return [line, ...placement(node)]
      return [line]
    })
    .join('\n')
}

/** A unified-style view: the added lines, each run of them under the line that it follows. */
export function addedLines(before: string, after: string): string {
  const old = before.split('\n')
  let at = 0
  let shown = -1
  const out: string[] = []
  for (const line of after.split('\n')) {
    if (line === old[at]) {
      at += 1
      continue
    }
    if (at > 0 && shown < at - 1) {
      if (shown >= 0 && shown < at - 2) out.push('  …')
      out.push(`  ${old[at - 1]}`)
    }
    shown = at - 1
    out.push(`+ ${line}`)
  }
  return out.join('\n')
}
