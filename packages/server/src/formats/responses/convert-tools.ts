import { isObject } from 'purser/internal'
import type { Fields } from '../request-body.ts'
import { invalidRequest, unsupportedParameter } from '../unsupported-parameter.ts'

/** Converts tools to those of chat completions: functions and custom tools. */
export function convertTools(tools: unknown): object[] | undefined {
  if (tools === undefined || tools === null) return undefined
  if (!Array.isArray(tools)) throw invalidRequest("'tools' must be a list.", 'tools')
  return tools.length === 0 ? undefined : tools.map((tool: unknown, index) => convertTool(tool, `tools[${index}]`))
}

function convertTool(tool: unknown, param: string): object {
  if (!isObject(tool)) throw invalidRequest(`'${param}' must be an object.`, param)
  const { type, ...definition } = tool
  if (type === 'function') return { type, function: dropNull(definition) }
  if (type === 'custom') return { type, custom: { ...definition, ...convertFormat(definition.format) } }
  throw unsupportedParameter(`tools of the type '${type}'`, param)
}

function dropNull(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null))
}

function convertFormat(format: unknown): { format?: unknown } {
  if (!isObject(format) || format.type !== 'grammar') return format === undefined ? {} : { format }
  const { type, ...grammar } = format
  return { format: { type, grammar } }
}

export function convertToolChoice(choice: unknown): unknown {
  if (!isObject(choice)) return choice ?? undefined
  const { type, name, mode, tools } = choice
  if (type === 'function' || type === 'custom') return { type, [type]: { name } }
  if (type === 'allowed_tools' && Array.isArray(tools)) {
    return { type, allowed_tools: { mode, tools: tools.map(convertToolChoice) } }
  }
  throw unsupportedParameter(`a tool choice of the type '${type}'`, 'tool_choice')
}
