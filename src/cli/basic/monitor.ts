import { type Command, type CommandCall, Failure, failing } from '../command.ts'
import { connectionFlags } from '../session.ts'

const levels = ['trace', 'debug', 'info', 'warn', 'error']

export const monitor: Command = {
  name: 'monitor',
  summary: 'Print the log of the server as it is written, until interrupted',
  args: '[options]',
  about: 'The log of the one server that answers. The token needs read on sys/monitor.',
  examples: [
    { says: 'What goes on?', run: 'monitor' },
    { says: 'More of it, for a program', run: 'monitor -log-level=debug -log-format=json' },
  ],
  flags: {
    ...connectionFlags,
    'log-level': { kind: 'text', about: `From this level on: ${levels.join(', ')}. Default info.` },
    'log-format': { kind: 'text', about: 'standard (default) or json.' },
  },
  takes: { min: 0, max: 0 },
  run: async (call) => {
    const level = call.flags.text('log-level') ?? 'info'
    const format = call.flags.text('log-format') ?? 'standard'
    if (!levels.includes(level)) {
      throw new Failure(
        1,
        `${JSON.stringify(level)} is an unknown log level. Valid log levels are: ${levels.join(', ')}`,
      )
    }
    if (format !== 'standard' && format !== 'json') {
      throw new Failure(1, `${JSON.stringify(format)} is an unknown log format. Valid log formats are: standard, json`)
    }
    return failing('Error monitoring logs', printLog(call, { log_level: level, log_format: format }))
  },
}

async function printLog(call: CommandCall, query: Record<string, string>): Promise<number> {
  const { signal, stdout } = call.context
  try {
    for await (const part of call.session.client().stream('sys/monitor', query, { signal })) stdout.write(part)
  } catch (error) {
    // Interrupting is how it is meant to end.
    if (!signal.aborted) throw error
  }
  return 0
}
