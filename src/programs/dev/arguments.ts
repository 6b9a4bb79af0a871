import { parseArgs } from 'node:util'

export const usage = `Usage: coffer dev [--demo] [options]

  Runs all of Coffer on this machine: the server (LMDB, TLS, audited), an embedded
  development cluster, the controller, the injector and a pod runner, each a process
  of its own. Everything is below one new folder and ends with Ctrl-C.
  Never for production: the root token is printed, unsealing is automatic.

  Start it and use it from another terminal:

      $ coffer dev
      $ . /tmp/coffer-dev-XXXXXX/env && coffer kv put secret/hello name=world

  See a secret travel into a pod and into a Kubernetes Secret, and what an outage does:

      $ coffer dev --demo

  The same on a cluster that is there already, instead of the embedded one:

      $ coffer dev --demo --kubeconfig ~/.kube/config --context kind-kind

  Made there, each labelled app.kubernetes.io/managed-by=coffer-dev: a namespace
  coffer-dev-<id>, which everything else is in or is owned by; a Node and its Lease
  (pods of the run are processes of this machine); a webhook that sees only that
  namespace; a ClusterRole for the node; the two External Secrets definitions, unless
  the cluster has its own, which are used and never changed. All of it goes at the end,
  also when this process is killed; while the run lives, so does \`kubectl delete
  namespace coffer-dev-<id>\`. The API server has to reach this machine: the server,
  the webhook and the pods' logs are at the address from which this machine reaches
  the API server.

Options:
  --demo             run the demonstration, then stay up
  --exit             with --demo: end after it, status 0 if every step worked, else 1
  --dir DIR          make the run's folder below DIR (default: the system's temporary folder)
  --kubeconfig FILE  a cluster that is there already; you need the rights of cluster-admin
  --context NAME     with --kubeconfig: this context instead of the current one
  --yes              with --kubeconfig: do not ask. Asked is for a cluster that has nodes, or whose
                     API server is not on this machine; without a terminal, or with CI=true, it is
                     refused instead
  --help             this text

Environment:
  COFFER_POD_ISOLATION=namespaces|none   how pods are kept apart (default: what this machine can do)
  NO_COLOR=1                             no colour
`

export interface DevArguments {
  readonly demo: boolean
  readonly exit: boolean
  readonly dir?: string
  readonly kubeconfig?: string
  readonly context?: string
  readonly yes: boolean
  readonly help: boolean
}

export function parseDevArguments(args: readonly string[]): DevArguments | { readonly problem: string } {
  const given = readOptions(args)
  if ('problem' in given) return given
  const { demo = false, exit = false, yes = false, help = false, dir, kubeconfig, context } = given
  if (exit && !demo) return { problem: '--exit goes with --demo' }
  if (kubeconfig === undefined && context !== undefined) return { problem: '--context goes with --kubeconfig' }
  if (kubeconfig === undefined && yes) return { problem: '--yes goes with --kubeconfig' }
  if (kubeconfig === '') return { problem: '--kubeconfig needs a file' }
  return { demo, exit, yes, dir, help, kubeconfig, context }
}

function readOptions(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        demo: { type: 'boolean' },
        exit: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
        dir: { type: 'string' },
        kubeconfig: { type: 'string' },
        context: { type: 'string' },
        yes: { type: 'boolean' },
      },
    }).values
  } catch (error) {
    const [first = ''] = error instanceof Error ? error.message.split('. ') : []
    return { problem: `${first}; it takes --demo, --exit, --dir DIR, --kubeconfig FILE, --context NAME, --yes, --help` }
  }
}
