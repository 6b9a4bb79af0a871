import type { Secret } from '../../../kube/object-types.ts'

export function decodedData(secret: Secret | undefined): Map<string, Uint8Array> {
  return new Map(Object.entries(secret?.data ?? {}).map(([key, text]) => [key, Buffer.from(text, 'base64')]))
}

export function encodedData(data: ReadonlyMap<string, Uint8Array>): Record<string, string> {
  return Object.fromEntries([...data].map(([key, bytes]) => [key, Buffer.from(bytes).toString('base64')]))
}
