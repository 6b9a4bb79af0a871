import { createPublicKey, type KeyObject } from 'node:crypto'
import { ByteReader } from '../packets/byte-reader.ts'
import { OpenpgpProblem } from '../packets/problem.ts'

const dsaOid = Buffer.from('06072a8648ce380401', 'hex')

/** Only to verify what old keys signed. `bytes`: of each half of a signature. */
export function readDsaKey(material: Uint8Array): { readonly key: KeyObject; readonly bytes: number } {
  const reader = new ByteReader(material, 'the DSA key')
  const [p, q, g, y] = [reader.integer(), reader.integer(), reader.integer(), reader.integer()]
  reader.end()
  if (p.length < 256 || p.length > 384 || q.length < 28 || q.length > 32) {
    throw new OpenpgpProblem(`a DSA key of ${p.length * 8} bits is not accepted, only from 2048 to 3072`)
  }
  const algorithm = sequence(dsaOid, sequence(integer(p), integer(q), integer(g)))
  const info = sequence(algorithm, der(0x03, Buffer.concat([Buffer.of(0), integer(y)])))
  try {
    return { key: createPublicKey({ key: info, format: 'der', type: 'spki' }), bytes: q.length }
  } catch {
    throw new OpenpgpProblem('its DSA numbers are not those of a key')
  }
}

const sequence = (...members: Uint8Array[]) => der(0x30, Buffer.concat(members))
/** A leading zero keeps it positive. */
const integer = (bytes: Uint8Array) => der(0x02, (bytes[0] ?? 0) < 0x80 ? bytes : Buffer.concat([Buffer.of(0), bytes]))

function der(tag: number, body: Uint8Array): Buffer {
  const { length } = body
  const head = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.of(tag, ...head), body])
}
