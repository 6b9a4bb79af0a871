#!/usr/bin/env node
/** The only executable: argv (or the name it was called by) -> a program. */
import { basename } from 'node:path'
import { realIo, secureProcess } from './programs/process.ts'
import { programs } from './programs/table.ts'

secureProcess()
const [, script = '', ...args] = process.argv
const calledAs = process.env['COFFER_ARGV0'] ?? basename(script)
const name = calledAs === 'vault' ? undefined : args[0]
const known = name !== undefined && Object.hasOwn(programs, name) ? programs[name] : undefined
const program = await (known ?? programs['cli'])?.()
const status = await program?.run(known ? args.slice(1) : args, realIo(calledAs === 'vault' ? 'vault' : 'coffer'))
process.exitCode = status ?? 1
