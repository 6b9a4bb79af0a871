import { systemClock } from '../../../lib/clock.ts'
import type { ProgramIo } from '../../program.ts'
import { ConfigurationError, type ServerConfig } from '../configuration.ts'
import { ServerLog } from './logger.ts'
import { LogFile } from './process-files.ts'

/** Where the operational log goes; of several processes of a server each opens it. Throws ConfigurationError. */
export function openLogs(config: ServerConfig, io: ProgramIo): { logs: ServerLog; logFile: LogFile | undefined } {
  const logFile = openLogFile(config)
  const write = (line: string) => {
    io.stderr.write(line)
    logFile?.write(line)
  }
  const { logLevel: level, logFormat: format } = config
  return { logs: new ServerLog({ level, format, name: 'server', clock: systemClock, write }), logFile }
}

function openLogFile({ logFile }: ServerConfig): LogFile | undefined {
  if (logFile === undefined) return undefined
  try {
    return new LogFile({ path: logFile })
  } catch (cause) {
    throw new ConfigurationError(`log_file ${logFile} cannot be written`, { cause })
  }
}
