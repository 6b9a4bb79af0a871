/** The parsed form of a template. `pos` is an offset in `Source.text`. */
export interface Source {
  /** The template's name in error messages. */
  readonly name: string
  readonly text: string
}

interface At {
  readonly pos: number
}
export type Arg =
  | (At & { readonly type: 'bool'; readonly value: boolean })
  | (At & { readonly type: 'dot' })
  | (At & { readonly type: 'nil' })
  | (At & { readonly type: 'number'; readonly text: string; readonly value: NumberValue })
  | (At & { readonly type: 'string'; readonly quoted: string; readonly value: string })
  | (At & { readonly type: 'identifier'; readonly name: string })
  | (At & { readonly type: 'field'; readonly fields: readonly string[] })
  | (At & { readonly type: 'variable'; readonly name: string; readonly fields: readonly string[] })
  | (At & { readonly type: 'chain'; readonly node: Arg; readonly fields: readonly string[] })
  | Pipe

/** What a literal may become: Go decides by the place it stands in. */
export interface NumberValue {
  readonly int?: bigint
  readonly float?: number
  /** The literal alone is a float64 ("1.0", "1e3"). */
  readonly isFloat: boolean
}

export interface Command extends At {
  readonly type: 'command'
  readonly args: readonly Arg[]
}
export interface Pipe extends At {
  readonly type: 'pipe'
  readonly assign: boolean
  readonly variables: readonly string[]
  readonly commands: readonly Command[]
}
export interface TextNode extends At {
  readonly type: 'text'
  readonly text: string
}
export interface ActionNode extends At {
  readonly type: 'action'
  readonly pipe: Pipe
}
export interface BranchNode extends At {
  readonly type: 'if' | 'range' | 'with'
  readonly pipe: Pipe
  readonly list: List
  readonly otherwise?: List
}
export interface CallNode extends At {
  readonly type: 'template'
  readonly name: string
  readonly pipe?: Pipe
}
export interface JumpNode extends At {
  readonly type: 'break' | 'continue'
}
export type Node = TextNode | ActionNode | BranchNode | CallNode | JumpNode
export type List = readonly Node[]

/** One named body: the template itself, or a define or block inside it. */
export interface Body {
  readonly name: string
  readonly source: Source
  readonly list: List
}

/** A node as Go prints it in error messages. */
export function nodeText(node: Node | Arg | Command): string {
  switch (node.type) {
    case 'text':
      return JSON.stringify(node.text)
    case 'action':
      return `{{${nodeText(node.pipe)}}}`
    case 'template':
      return `{{template ${JSON.stringify(node.name)}${node.pipe ? ` ${nodeText(node.pipe)}` : ''}}}`
    case 'if':
    case 'range':
    case 'with':
      return `{{${node.type} ${nodeText(node.pipe)}}}`
    case 'break':
    case 'continue':
      return `{{${node.type}}}`
    case 'command':
      return node.args.map((a) => (a.type === 'pipe' ? `(${nodeText(a)})` : nodeText(a))).join(' ')
    case 'pipe': {
      const declared = node.variables.length ? `${node.variables.join(', ')} ${node.assign ? '=' : ':='} ` : ''
      return declared + node.commands.map(nodeText).join(' | ')
    }
    default:
      return argText(node)
  }
}

function argText(node: Exclude<Arg, Pipe>): string {
  switch (node.type) {
    case 'bool':
      return String(node.value)
    case 'dot':
      return '.'
    case 'nil':
      return 'nil'
    case 'number':
      return node.text
    case 'string':
      return node.quoted
    case 'identifier':
      return node.name
    case 'field':
      return node.fields.map((f) => `.${f}`).join('')
    case 'variable':
      return [node.name, ...node.fields].join('.')
    case 'chain': {
      const inner = node.node.type === 'pipe' ? `(${nodeText(node.node)})` : nodeText(node.node)
      return inner + node.fields.map((f) => `.${f}`).join('')
    }
  }
}
