/** A worker whose channel outlives it: a process that it started holds the other end of it open. */
import { spawn } from 'node:child_process'
import { createServer } from 'node:net'

/** Node's channel follows the three that every process has. */
const channel = 3
const heir = spawn('sleep', ['120'], { stdio: ['ignore', 'ignore', 'ignore', channel] })
const server = createServer((socket) => socket.end())
server.listen(0, '127.0.0.1', () => process.send?.({ port: server.address().port, heir: heir.pid }))
