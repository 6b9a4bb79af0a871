// What node:http costs without us: answers GET with the given bytes, reads a POST's body and answers the same. Prints its port.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'

const answer = readFileSync(process.argv[2])
const headers = { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', 'Content-Length': answer.length }
const server = createServer((request, response) => {
  if (request.method === 'GET') {
    response.writeHead(200, headers).end(answer)
    return
  }
  const chunks = []
  request.on('data', (chunk) => chunks.push(chunk))
  request.on('end', () => {
    Buffer.concat(chunks)
    response.writeHead(200, headers).end(answer)
  })
})
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
process.on('SIGTERM', () => process.exit(0))
