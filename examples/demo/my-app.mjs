// The demo's application: reads the file that the agent renders and prints it, again whenever it changes.
// It prints the content only because this is a demo of a secret that you typed yourself; a real application never logs it.
import { readFileSync, watch } from 'node:fs'
import { dirname } from 'node:path'

const file = process.argv[2] ?? '/vault/secrets/config'
let last

function read() {
  let text
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    text = `(${error.code})`
  }
  if (text === last) return
  last = text
  const [data = ''] = text.split('\n')
  console.log(`my-app reads ${file}: ${data}`)
}

read()
// A rename replaces the file, so the folder is watched; the timer is for file systems that tell nothing.
watch(dirname(file), read)
setInterval(read, 500)
process.on('SIGTERM', () => process.exit(0))
