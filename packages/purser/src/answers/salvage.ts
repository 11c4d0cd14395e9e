/** One member of an old cache file, as it was found. */
export interface Salvaged {
  /** The hash it was stored under. */
  readonly key: string
  /** Undefined when it was found, but could not be read. */
  readonly entry: unknown
}

export interface Salvage {
  readonly members: readonly Salvaged[]
  /** True when the file as a whole is valid JSON. */
  readonly whole: boolean
}

const MEMBER = /"([0-9a-f]{64})"\s*:\s*\{/g

/**
 * Reads `ai_responses.json`, also a torn one: when the whole cannot be parsed, every member is looked for by what it
 * begins with, a hash as a key, and parsed by itself. A hash inside an answer is not taken for one, because the quotes
 * around it are escaped there.
 */
export function salvage(text: string): Salvage {
  const parsed = parse(text)
  if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) {
    return { members: Object.entries(parsed).map(([key, entry]) => ({ key, entry })), whole: true }
  }
  const members: Salvaged[] = []
  MEMBER.lastIndex = 0
  for (let match = MEMBER.exec(text); match !== null; match = MEMBER.exec(text)) {
    // The search goes on inside this member: where its end is missing, it has swallowed the ones behind it.
    const begin = MEMBER.lastIndex - 1
    members.push({ key: match[1] as string, entry: parse(text.slice(begin, endOfObject(text, begin))) })
  }
  return { members, whole: false }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Behind the brace that closes the one at `begin`; the end of the text when there is none. */
function endOfObject(text: string, begin: number): number {
  let depth = 0
  let isInText = false
  for (let at = begin; at < text.length; at++) {
    const character = text[at]
    if (isInText) {
      if (character === '\\') at++
      else if (character === '"') isInText = false
    } else if (character === '"') isInText = true
    else if (character === '{') depth++
    else if (character === '}' && --depth === 0) return at + 1
  }
  return text.length
}
