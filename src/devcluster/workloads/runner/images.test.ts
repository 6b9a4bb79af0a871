import { describe, expect, it } from 'vitest'
import { findImage, readImageMap } from './images.ts'

describe('image map', () => {
  const map = readImageMap(
    JSON.stringify({
      'my-app:latest': {
        command: ['app'],
        args: ['x'],
        env: { A: 'b' },
        mounts: { '/app': '/host' },
        workingDir: '/app',
      },
      'registry:5000/tool': { command: ['tool'] },
      'hashicorp/*': { command: ['any'] },
      'hashicorp/vault:*': { agent: true },
    }),
  )

  it.each([
    ['my-app:latest', 'app'],
    ['my-app', 'app'],
    ['my-app:1', undefined],
    ['registry:5000/tool', 'tool'],
    ['registry:5000/tool:latest', 'tool'],
    ['hashicorp/vault:1.17', 'vault'],
    ['hashicorp/consul', 'any'],
    ['hashicorpXvault:1', undefined],
  ])('%s runs %s', (image, command) => expect(findImage(map, image)?.command[0]).toBe(command))

  it.each([
    ['no JSON', '{'],
    ['no object', '[]'],
    ['"a": is no object', '{"a": 1}'],
    ['"a": command must be a list', '{"a": {"command": "x"}}'],
    ['"a": command must be a list', '{"a": {"command": []}}'],
    ['"a": unknown member comand', '{"a": {"command": ["x"], "comand": 1}}'],
    ['"a": env must map', '{"a": {"command": ["x"], "env": {"A": 1}}}'],
    ['"a": mounts must map', '{"a": {"command": ["x"], "mounts": []}}'],
  ])('refuses with "%s" %s', (message, text) => expect(() => readImageMap(text)).toThrow(message))
})
