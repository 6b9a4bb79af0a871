import { inflateSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { qrPng } from './qr-code.ts'

/** Reads our own PNGs back: size and dark pixels. */
function read(png: Buffer): { size: number; dark: (x: number, y: number) => boolean } {
  expect(png.subarray(0, 8).toString('hex')).toBe('89504e470d0a1a0a')
  expect(png.subarray(12, 16).toString()).toBe('IHDR')
  const size = png.readUInt32BE(16)
  expect(png.readUInt32BE(20)).toBe(size)
  const length = png.readUInt32BE(33)
  expect(png.subarray(37, 41).toString()).toBe('IDAT')
  const pixels = inflateSync(png.subarray(41, 41 + length))
  const rowBytes = 1 + Math.ceil(size / 8)
  expect(pixels).toHaveLength(rowBytes * size)
  return { size, dark: (x, y) => ((pixels[y * rowBytes + 1 + (x >> 3)] ?? 0) & (0x80 >> (x & 7))) === 0 }
}

describe('a QR code', () => {
  it('has the size that was asked for, a white margin and the three finder patterns', async () => {
    const made = await qrPng('otpauth://totp/x:y?secret=MZXW6YTBOI', 200)
    if (made === 'too long' || 'tooSmall' in made) throw new Error('no picture')
    const { size, dark } = read(made.png)
    expect(size).toBe(200)
    const all = Array.from({ length: 200 * 200 }, (_, i) => [i % 200, Math.floor(i / 200)] as const)
    const darkOnes = all.filter(([x, y]) => dark(x, y))
    const left = Math.min(...darkOnes.map(([x]) => x))
    const top = Math.min(...darkOnes.map(([, y]) => y))
    expect(left).toBeGreaterThan(8)
    // A finder pattern: 7 dark modules, then a light one.
    const right = Math.max(...darkOnes.map(([x]) => x))
    const module = (right - left + 1) / 29
    expect(Number.isInteger(module)).toBe(true)
    const line = Array.from({ length: 29 }, (_, i) => dark(left + i * module, top))
    expect(line.slice(0, 8)).toEqual([true, true, true, true, true, true, true, false])
    expect(line.slice(-8)).toEqual([false, true, true, true, true, true, true, true])
  })

  // From the header on, by the standard's own check value of an empty IEND.
  it('ends with a checksum that readers verify', async () => {
    const made = await qrPng('x', 50)
    if (made === 'too long' || 'tooSmall' in made) throw new Error('no picture')
    expect(made.png.subarray(-12).toString('hex')).toBe('0000000049454e44ae426082')
  })

  it('says what it needs when it has too little room', async () => {
    expect(await qrPng('x', 20)).toEqual({ tooSmall: 21 })
    expect(await qrPng('x'.repeat(5000), 2000)).toBe('too long')
  })
})
