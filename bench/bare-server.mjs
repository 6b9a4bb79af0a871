// What node:http costs without us: answers GET with the bytes of the first file, reads any other body and answers with those
// of the second (the first if there is one only). Prints its port.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'

const [forGet, forOthers = forGet] = process.argv.slice(2).map((file) => {
  const bytes = readFileSync(file)
  const headers = { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', 'Content-Length': bytes.length }
  return { bytes, headers }
})
const server = createServer((request, response) => {
  if (request.method === 'GET') {
    response.writeHead(200, forGet.headers).end(forGet.bytes)
    return
  }
  const chunks = []
  request.on('data', (chunk) => chunks.push(chunk))
  request.on('end', () => {
    Buffer.concat(chunks)
    response.writeHead(200, forOthers.headers).end(forOthers.bytes)
  })
})
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
for (const end of ['SIGTERM', 'disconnect']) process.on(end, () => process.exit(0))
