import { isObject } from '../core/validate.ts'

/** What a text with tool calls contains, so that others need not be parsed. */
export const TOOL_CALLS = '"tool_calls"'

/** The tool calls that begin in a chunk or are in a completion: pieces of a call that go on have no id. */
export function countToolCalls(text: string): number {
  const { choices } = JSON.parse(text) as { readonly choices?: unknown }
  if (!Array.isArray(choices)) return 0
  let count = 0
  for (const choice of choices) {
    if (!isObject(choice)) continue
    const message = isObject(choice.message) ? choice.message : choice.delta
    const calls = isObject(message) ? message.tool_calls : undefined
    if (Array.isArray(calls)) count += calls.filter((call) => isObject(call) && hasStart(call)).length
  }
  return count
}

function hasStart({ id, function: definition }: Readonly<Record<string, unknown>>): boolean {
  return typeof id === 'string' || (isObject(definition) && typeof definition.name === 'string')
}
