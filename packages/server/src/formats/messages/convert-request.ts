import type { ChatRequest } from 'purser'
import { isObject } from 'purser/internal'
import type { Fields } from '../request-body.ts'
import { invalidRequest, unsupportedParameter } from '../unsupported-parameter.ts'
import { convertInstructions, convertMessages } from './convert-messages.ts'

/** Fields that ask for something that only Anthropic has. Hints about caching and old context may be ignored. */
const UNSUPPORTED_FIELDS = ['mcp_servers', 'container'] as const

/** Efforts for a budget of thinking, by the tokens up to which they count. */
const EFFORTS = [
  { maxTokens: 2_048, effort: 'low' },
  { maxTokens: 8_192, effort: 'medium' },
  { maxTokens: Number.POSITIVE_INFINITY, effort: 'high' },
] as const

/** Converts a request in Anthropic's format to a chat request; `unsupported_parameter` for what that cannot say. */
export async function convertRequest(body: Fields): Promise<ChatRequest> {
  for (const name of UNSUPPORTED_FIELDS) {
    if ((body[name] ?? undefined) !== undefined) throw unsupportedParameter(`'${name}'`, name)
  }
  const { system, tool_choice: choice, output_config: output } = body
  const fields = {
    model: body.model,
    stream: body.stream,
    stream_options: body.stream === true ? { include_usage: true } : undefined,
    max_tokens: body.max_tokens,
    temperature: body.temperature,
    top_p: body.top_p,
    top_k: body.top_k,
    stop: body.stop_sequences,
    tools: convertTools(body.tools),
    tool_choice: convertToolChoice(choice),
    parallel_tool_calls: isObject(choice) && choice.disable_parallel_tool_use === true ? false : undefined,
    reasoning_effort: effortOf(body.thinking, output),
    // The only tier of Anthropic that is not the default of both.
    service_tier: body.service_tier === 'standard_only' ? 'default' : undefined,
    metadata: body.metadata,
    cache_control: isObject(body.cache_control) ? body.cache_control : undefined,
    response_format: convertFormat(isObject(output) && isObject(output.format) ? output.format : body.output_format),
  }
  const defined = Object.entries(fields).filter(([, value]) => value !== undefined && value !== null)
  const messages = await convertMessages(body.messages)
  const content = system === undefined || system === null ? '' : convertInstructions(system, 'system')
  if (content !== '') messages.unshift({ role: 'system', content })
  return { ...Object.fromEntries(defined), messages }
}

function convertTools(tools: unknown): object[] | undefined {
  if (tools === undefined || tools === null) return undefined
  if (!Array.isArray(tools)) throw invalidRequest("'tools' must be a list.", 'tools')
  if (tools.length === 0) return undefined
  return tools.map((tool: unknown, index) => {
    const param = `tools[${index}]`
    if (!isObject(tool)) throw invalidRequest(`'${param}' must be an object.`, param)
    const { type = 'custom', name, description, input_schema, strict, cache_control } = tool
    if (type !== 'custom') throw unsupportedParameter(`tools of the type '${type}'`, param)
    const definition = { name, description, parameters: input_schema, strict }
    const defined = Object.entries(definition).filter(([, value]) => value !== undefined && value !== null)
    const converted = { type: 'function', function: Object.fromEntries(defined) }
    return isObject(cache_control) ? { ...converted, cache_control } : converted
  })
}

function convertToolChoice(choice: unknown): unknown {
  if (!isObject(choice)) return undefined
  if (choice.type === 'any') return 'required'
  if (choice.type === 'tool') return { type: 'function', function: { name: choice.name } }
  if (choice.type === 'auto' || choice.type === 'none') return choice.type
  throw invalidRequest("'tool_choice.type' must be 'auto', 'any', 'tool' or 'none'.", 'tool_choice')
}

function effortOf(thinking: unknown, output: unknown): unknown {
  if (isObject(output) && typeof output.effort === 'string') return output.effort
  if (!isObject(thinking) || thinking.type !== 'enabled') return undefined
  return EFFORTS.find(({ maxTokens }) => Number(thinking.budget_tokens ?? 0) <= maxTokens)?.effort
}

function convertFormat(format: unknown): object | undefined {
  if (!isObject(format)) return undefined
  if (format.type !== 'json_schema') throw unsupportedParameter(`the format '${format.type}'`, 'output_config.format')
  return { type: 'json_schema', json_schema: { name: 'output', schema: format.schema, strict: true } }
}
