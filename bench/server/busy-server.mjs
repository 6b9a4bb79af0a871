// What a second process can bring on this machine: a bare node:http server whose answers take as much of the processor as those
// of a server that does something. Usage: busy-server.mjs PROCESSES DIGESTS, the digests of a kilobyte for each answer. Prints its port.
import cluster from 'node:cluster'
import { createServer } from 'node:http'
import { work } from './busy-work.mjs'

const [processes, rounds] = process.argv.slice(2).map(Number)
const body = Buffer.from(JSON.stringify({ value: 'v'.repeat(1024) }))
const headers = { 'Content-Type': 'application/json', 'Content-Length': body.length }

if (cluster.isPrimary) {
  for (let n = 0; n < processes; n += 1) cluster.fork()
  let listening = 0
  cluster.on('listening', (_, { port }) => {
    listening += 1
    if (listening === processes) console.log(port)
  })
  for (const end of ['SIGTERM', 'disconnect']) process.on(end, () => process.exit(0))
} else {
  createServer((_, response) => {
    work(rounds)
    response.writeHead(200, headers).end(body)
  }).listen(0, '127.0.0.1')
}
