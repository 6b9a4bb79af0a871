import { squarePng } from './png.ts'

/** What the standard wants left white around it, in modules. */
const quietModules = 4

/**
 * The text as a QR code of `size` × `size` pixels, PNG. 'too small': names the pixels that it takes at least. 'too long':
 * no QR code holds so much.
 */
export async function qrPng(
  text: string,
  size: number,
): Promise<{ readonly png: Buffer } | { readonly tooSmall: number } | 'too long'> {
  const { default: qrcode } = await import('qrcode-generator')
  const code = qrcode(0, 'M')
  code.addData(text, 'Byte')
  try {
    code.make()
  } catch {
    return 'too long'
  }
  const modules = code.getModuleCount()
  if (size < modules) return { tooSmall: modules }
  const quiet = modules + 2 * quietModules
  const scale = Math.floor(size / (size >= quiet ? quiet : modules))
  const margin = Math.floor((size - modules * scale) / 2)
  const moduleAt = (pixel: number) => Math.floor((pixel - margin) / scale)
  const png = squarePng(size, (x, y) => {
    const column = moduleAt(x)
    const row = moduleAt(y)
    const inside = column >= 0 && row >= 0 && column < modules && row < modules
    return inside && code.isDark(row, column)
  })
  return { png }
}
