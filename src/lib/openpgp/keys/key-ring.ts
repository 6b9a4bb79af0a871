import { privateKey } from '../packets/armour.ts'
import { type Packet, packetType, readPackets } from '../packets/packet.ts'
import { OpenpgpProblem } from '../packets/problem.ts'
import { type PublicKey, readPublicKey } from './public-key.ts'
import { readSignature, type Signature } from './signature.ts'

/** A part of a key with what was signed about it. */
export interface Component {
  readonly packet: Packet
  readonly signatures: readonly Signature[]
}

/** One transferable public key (RFC 9580, 10.1): nothing in it is verified yet. */
export interface KeyRing {
  readonly primary: PublicKey
  readonly direct: readonly Signature[]
  /** User ids and pictures. */
  readonly users: readonly Component[]
  readonly subkeys: readonly Component[]
}

const ignored: readonly number[] = [packetType.marker, packetType.trust, packetType.padding]
const secret: readonly number[] = [packetType.secretKey, packetType.secretSubkey]
const userTypes: readonly number[] = [packetType.userId, packetType.userAttribute]
/** Types from here on may be ignored where they are unknown. */
const firstOptional = 40

/** OpenpgpProblem unless it is exactly one public key. */
export function readKeyRing(bytes: Uint8Array): KeyRing {
  const packets = readPackets(bytes).filter(({ type }) => !ignored.includes(type) && type < firstOptional)
  if (packets.some(({ type }) => secret.includes(type))) throw new OpenpgpProblem(privateKey)
  const [first, ...rest] = packets
  if (first?.type !== packetType.publicKey) throw new OpenpgpProblem('this is no OpenPGP public key')
  const parts: { packet: Packet; signatures: Signature[] }[] = [{ packet: first, signatures: [] }]
  for (const packet of rest) {
    if (packet.type === packetType.signature) {
      const signature = readSignature(packet.body)
      if (signature) parts.at(-1)?.signatures.push(signature)
    } else if (packet.type === packetType.publicSubkey || userTypes.includes(packet.type)) {
      parts.push({ packet, signatures: [] })
    } else if (packet.type === packetType.publicKey) {
      throw new OpenpgpProblem('there is more than one key in it: give one')
    } else {
      throw new OpenpgpProblem(`a packet of type ${packet.type} has no place in a public key`)
    }
  }
  return {
    primary: readPublicKey(first.body),
    direct: parts[0]?.signatures ?? [],
    users: parts.filter(({ packet }) => userTypes.includes(packet.type)),
    subkeys: parts.filter(({ packet }) => packet.type === packetType.publicSubkey),
  }
}
