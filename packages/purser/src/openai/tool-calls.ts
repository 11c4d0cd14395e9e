import { isObject } from '../core/validate.ts'

/** What a text with tool calls contains, so that others need not be parsed. */
export const TOOL_CALLS = '"tool_calls"'

/**
 * The names of the tool calls that begin in a chunk or are in a completion; undefined for a call without one. Pieces of a
 * call that go on have no id.
 */
export function toolCallsIn(text: string): readonly (string | undefined)[] {
  return toolCallsOf(JSON.parse(text) as { readonly choices?: unknown })
}

/** The same of a chunk or a completion that was parsed. */
export function toolCallsOf({ choices }: { readonly choices?: unknown }): readonly (string | undefined)[] {
  if (!Array.isArray(choices)) return []
  return choices.flatMap((choice: unknown) => {
    if (!isObject(choice)) return []
    const message = isObject(choice.message) ? choice.message : choice.delta
    const calls = isObject(message) ? message.tool_calls : undefined
    return Array.isArray(calls) ? calls.filter((call) => isObject(call) && hasStart(call)).map(nameOf) : []
  })
}

function nameOf({ function: definition }: Readonly<Record<string, unknown>>): string | undefined {
  return isObject(definition) && typeof definition.name === 'string' ? definition.name : undefined
}

function hasStart({ id, function: definition }: Readonly<Record<string, unknown>>): boolean {
  return typeof id === 'string' || (isObject(definition) && typeof definition.name === 'string')
}

/** The calls of each tool that the request declares; of any other name, which a model may have made up, under `other`. */
export class ToolCalls {
  readonly #tools: unknown
  // Made on first use: most answers call none.
  #calls: Map<string, number> | undefined
  total = 0

  /** The `tools` of the request. */
  constructor(tools: unknown) {
    this.#tools = tools
  }

  add(names: readonly (string | undefined)[]): void {
    for (const name of names) {
      const known = name !== undefined && this.#isDeclared(name) ? name : OTHER
      this.total++
      this.#calls ??= new Map()
      this.#calls.set(known, (this.#calls.get(known) ?? 0) + 1)
    }
  }

  list(): readonly { readonly name: string; readonly calls: number }[] {
    return this.#calls === undefined ? NONE : [...this.#calls].map(([name, calls]) => ({ name, calls }))
  }

  #isDeclared(name: string): boolean {
    if (!Array.isArray(this.#tools)) return false
    return this.#tools.some((tool) => isObject(tool) && nameOfTool(tool) === name)
  }
}

/** A tool that the provider runs may have a type only. */
function nameOfTool(tool: Readonly<Record<string, unknown>>): unknown {
  return isObject(tool.function) ? tool.function.name : (tool.name ?? tool.type)
}

const OTHER = 'other'
const NONE: readonly never[] = []
