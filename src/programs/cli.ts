import { basename } from 'node:path'
import manifest from '../../package.json' with { type: 'json' }
import { runCli } from '../cli/run.ts'
import { systemClock } from '../lib/clock.ts'
import { createNodeTransport } from '../sdk/node-transport.ts'
import { createSocketConnector } from '../sdk/web-socket.ts'
import type { Program } from './program.ts'

/** The command line. Called by the name `vault` it says vault. */
export const program: Program = {
  run: async (args, io) => {
    // `coffer list | head -1`: the reader has gone, which is no error of ours.
    io.stdout.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(0)
    })
    return runCli(args, {
      name: (io.env['COFFER_ARGV0'] ?? basename(process.argv[1] ?? '')) === 'vault' ? 'vault' : 'coffer',
      version: manifest.version,
      stdin: io.stdin,
      stdout: io.stdout,
      stderr: io.stderr,
      env: io.env,
      clock: systemClock,
      signal: io.stop,
      openTransport: createNodeTransport,
      openSocket: (options) => createSocketConnector({ ...options, clock: systemClock }),
      localPolicy: async () => (await import('../server/policies/expectations/local-policy.ts')).localPolicy,
      localSnapshot: async () => (await import('../server/snapshots/local-snapshot.ts')).localSnapshot,
      localStorage: async () => (await import('./storage/local-storage.ts')).localStorage(io.env),
      localServer: async () => (await import('./server/diagnose/local-server.ts')).localServer(io.env),
      localAudit: async () => (await import('../server/audit/verify/local-audit.ts')).localAudit,
    })
  },
}
