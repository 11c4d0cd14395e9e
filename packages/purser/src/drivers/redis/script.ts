import { createHash } from 'node:crypto'

/** A Lua script, which the server runs as one atomic step. All keys of one call are in one hash slot. */
export interface Script {
  readonly lua: string
  readonly sha: string
}

export function defineScript(...parts: readonly string[]): Script {
  const lua = parts.map((part) => part.trim()).join('\n')
  return { lua, sha: createHash('sha1').update(lua).digest('hex') }
}
