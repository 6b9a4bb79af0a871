#!/usr/bin/env node
/** The only executable: argv (or the name it was called by) -> a program. */
import { basename } from 'node:path'
import { realIo, secureProcess } from './programs/process.ts'
import { pickProgram } from './programs/table.ts'

secureProcess()
const [, script = '', ...args] = process.argv
const { program, rest } = await pickProgram(process.env['COFFER_ARGV0'] ?? basename(script), args)
process.exitCode = await program.run(rest, realIo())
