import type { RandomBytes } from '../../../lib/random.ts'
import type { PasswordPolicy } from './parse-password-policy.ts'

const triesPerTurn = 200
const maxTries = 20_000

/**
 * Every password that the policy allows is as likely as every other: candidates are drawn from all characters and thrown
 * away until one has enough of each kind. Undefined when none of 20,000 does: the policy leaves almost nothing.
 */
export async function generatePassword(policy: PasswordPolicy, random: RandomBytes): Promise<string | undefined> {
  const kinds = policy.rules
    .filter(({ minChars }) => minChars > 0)
    .map(({ charset, minChars }) => ({ charset: new Set(charset), minChars }))
  for (let tries = 0; tries < maxTries; tries += 1) {
    if (tries > 0 && tries % triesPerTurn === 0) await new Promise<void>((resolve) => setImmediate(resolve))
    const candidate = draw(policy, random)
    if (kinds.every(({ charset, minChars }) => candidate.filter((char) => charset.has(char)).length >= minChars)) {
      return candidate.join('')
    }
  }
  return undefined
}

function draw({ length, characters }: PasswordPolicy, random: RandomBytes): string[] {
  // The largest multiple of the number of characters in a byte: larger values would favour the first ones.
  const fair = 256 - (256 % characters.length)
  const out: string[] = []
  while (out.length < length) {
    for (const byte of random(Math.ceil(length * 1.5))) {
      const char = byte < fair ? characters[byte % characters.length] : undefined
      if (char !== undefined && out.length < length) out.push(char)
    }
  }
  return out
}
