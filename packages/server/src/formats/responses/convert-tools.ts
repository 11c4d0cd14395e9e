import { isObject } from 'purser/internal'
import type { Fields } from '../request-body.ts'
import { invalidRequest, unsupportedParameter } from '../unsupported-parameter.ts'

/** Converts tools to those of chat completions: functions and custom tools. */
export function convertTools(tools: unknown): object[] | undefined {
  if (tools === undefined || tools === null) return undefined
  if (!Array.isArray(tools)) throw invalidRequest("'tools' must be a list.", 'tools')
  return tools.length === 0 ? undefined : tools.flatMap((tool: unknown, index) => convertTool(tool, `tools[${index}]`))
}

/** A tool of a namespace, as chat completions know it. */
export function nameInNamespace(namespace: unknown, name: string): string {
  return typeof namespace === 'string' ? `${namespace}__${name}` : name
}

/** The tools of a request that are in a namespace, by the names that chat completions have for them. */
export function namespacesOf(
  tools: unknown,
): ReadonlyMap<string, { readonly namespace: string; readonly name: string }> {
  const found = new Map<string, { readonly namespace: string; readonly name: string }>()
  for (const group of Array.isArray(tools) ? tools : []) {
    if (!isObject(group) || group.type !== 'namespace' || typeof group.name !== 'string') continue
    for (const tool of Array.isArray(group.tools) ? group.tools : []) {
      if (!isObject(tool) || typeof tool.name !== 'string') continue
      found.set(nameInNamespace(group.name, tool.name), { namespace: group.name, name: tool.name })
    }
  }
  return found
}

function convertTool(tool: unknown, param: string): object[] {
  if (!isObject(tool)) throw invalidRequest(`'${param}' must be an object.`, param)
  const { type, ...definition } = tool
  if (type === 'function') return [{ type, function: pickFields(definition, FUNCTION_FIELDS) }]
  if (type === 'custom') {
    return [{ type, custom: { ...pickFields(definition, CUSTOM_FIELDS), ...convertFormat(definition.format) } }]
  }
  if (type === 'namespace') return convertNamespace(definition, param)
  throw unsupportedParameter(`tools of the type '${type}'`, param)
}

/** Chat completions have no namespaces: their names become part of the names of their tools. */
function convertNamespace({ name: namespace, tools }: Fields, param: string): object[] {
  if (!Array.isArray(tools)) throw invalidRequest(`'${param}.tools' must be a list.`, `${param}.tools`)
  return tools.flatMap((tool: unknown, index) => {
    const at = `${param}.tools[${index}]`
    if (!isObject(tool) || typeof tool.name !== 'string') throw invalidRequest(`'${at}' must have a name.`, at)
    return convertTool({ ...tool, name: nameInNamespace(namespace, tool.name) }, at)
  })
}

/** What chat completions know of a tool; how it is loaded and called is left out. */
const FUNCTION_FIELDS = ['name', 'description', 'parameters', 'strict'] as const
const CUSTOM_FIELDS = ['name', 'description'] as const

function pickFields(fields: Fields, names: readonly string[]): Fields {
  return Object.fromEntries(
    names.map((name) => [name, fields[name] ?? undefined]).filter(([, value]) => value !== undefined),
  )
}

function convertFormat(format: unknown): { format?: unknown } {
  if (!isObject(format)) return {}
  if (format.type !== 'grammar') return { format }
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
