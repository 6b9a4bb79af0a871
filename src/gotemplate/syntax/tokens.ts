export type TokenType =
  | 'error'
  | 'bool'
  | 'char'
  | 'charConstant'
  | 'complex'
  | 'assign'
  | 'declare'
  | 'eof'
  | 'field'
  | 'identifier'
  | 'leftDelim'
  | 'leftParen'
  | 'number'
  | 'pipe'
  | 'rawString'
  | 'rightDelim'
  | 'rightParen'
  | 'space'
  | 'string'
  | 'text'
  | 'variable'
  | 'dot'
  | 'keyword'

export interface Token {
  readonly type: TokenType
  /** Offset in the source, UTF-16. */
  readonly pos: number
  readonly text: string
  readonly line: number
}

export const keywords = new Set([
  'block',
  'break',
  'continue',
  'define',
  'else',
  'end',
  'if',
  'range',
  'nil',
  'template',
  'with',
])

/** How Go's error messages show a token. */
export function tokenText(token: Token): string {
  if (token.type === 'eof') return 'EOF'
  if (token.type === 'error') return token.text
  if (token.type === 'keyword' || token.type === 'dot') return `<${token.text}>`
  const chars = [...token.text]
  return chars.length > 10 ? `${JSON.stringify(chars.slice(0, 10).join(''))}...` : JSON.stringify(token.text)
}
