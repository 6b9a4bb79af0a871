// Runs a program from source: node --import tsx start-program.mjs <name> <arguments>.
import { realIo } from '../../src/programs/process.ts'

const [name, ...args] = process.argv.slice(2)
const { program } = await import(`../../src/programs/${name}.ts`)
process.exitCode = await program.run(args, realIo('coffer'))
process.disconnect?.()
