import { parseArgs } from 'node:util'

export const usage = `Usage: coffer dev [options]

  Runs all of Coffer on this machine: the server (LMDB, TLS, audited), an embedded
  development cluster, the controller, the injector and a pod runner, each a process
  of its own. Everything is below one new folder and ends with Ctrl-C.
  Never for production: the root token is printed, unsealing is automatic.

  Start it and use it from another terminal:

      $ coffer dev
      $ . /tmp/coffer-dev-XXXXXX/env && coffer kv put secret/hello name=world

  See a secret travel into a pod and into a Kubernetes Secret, and what an outage does:

      $ coffer dev --demo

Options:
  --demo        run the demonstration, then stay up
  --exit        with --demo: end after it, status 0 if every step worked, else 1
  --dir DIR     make the run's folder below DIR (default: the system's temporary folder)
  --help        this text

Environment:
  COFFER_POD_ISOLATION=namespaces|none   how pods are kept apart (default: what this machine can do)
  NO_COLOR=1                             no colour
`

export interface DevArguments {
  readonly demo: boolean
  readonly exit: boolean
  readonly dir?: string
  readonly help: boolean
}

export function parseDevArguments(args: readonly string[]): DevArguments | { readonly problem: string } {
  const given = readOptions(args)
  if ('problem' in given) return given
  const { demo = false, exit = false, help = false, dir } = given
  if (exit && !demo) return { problem: '--exit goes with --demo' }
  return { demo, exit, dir, help }
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
      },
    }).values
  } catch (error) {
    const [first = ''] = error instanceof Error ? error.message.split('. ') : []
    return { problem: `${first}; it takes --demo, --exit, --dir DIR, --help` }
  }
}
