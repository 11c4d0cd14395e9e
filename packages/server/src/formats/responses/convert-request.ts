import type { ChatRequest } from 'purser'
import { isObject } from 'purser/internal'
import type { Fields } from '../request-body.ts'
import { invalidRequest, unsupportedParameter } from '../unsupported-parameter.ts'
import { convertInput } from './convert-input.ts'
import { convertToolChoice, convertTools } from './convert-tools.ts'

/** Fields that mean the same in both formats. */
const SAME_FIELDS = [
  'model',
  'stream',
  'temperature',
  'top_p',
  'parallel_tool_calls',
  'metadata',
  'user',
  'safety_identifier',
  'service_tier',
  'prompt_cache_key',
  'prompt_cache_options',
  'prompt_cache_retention',
  'moderation',
] as const

/** What can be asked for in `include`, and is there anyway where the provider reports it. */
const INCLUDED: readonly unknown[] = ['reasoning.encrypted_content', 'message.output_text.logprobs']

/** Converts a request for a response to a chat request; `unsupported_parameter` for what that cannot say. */
export function convertRequest(body: Fields): ChatRequest {
  rejectUnsupported(body)
  const { instructions, include, reasoning, text } = body
  const wantsLogprobs = Array.isArray(include) && include.includes('message.output_text.logprobs')
  const topLogprobs = integerOf(body, 'top_logprobs', 0) ?? 0
  const fields = {
    ...Object.fromEntries(SAME_FIELDS.map((name) => [name, body[name]])),
    max_tokens: integerOf(body, 'max_output_tokens', 1),
    reasoning_effort: isObject(reasoning) ? reasoning.effort : undefined,
    verbosity: isObject(text) ? text.verbosity : undefined,
    response_format: convertFormat(isObject(text) ? text.format : undefined),
    tools: convertTools(body.tools),
    tool_choice: convertToolChoice(body.tool_choice),
    logprobs: wantsLogprobs || topLogprobs > 0 ? true : undefined,
    top_logprobs: topLogprobs > 0 ? topLogprobs : undefined,
    stream_options: body.stream === true ? convertStreamOptions(body.stream_options) : undefined,
  }
  const defined = Object.entries(fields).filter(([, value]) => value !== undefined && value !== null)
  const messages = convertInput(body.input)
  if (typeof instructions === 'string' && instructions !== '')
    messages.unshift({ role: 'system', content: instructions })
  return { ...Object.fromEntries(defined), messages }
}

function rejectUnsupported({ prompt, truncation, include, instructions }: Fields): void {
  if (prompt !== undefined && prompt !== null) throw unsupportedParameter('prompt templates', 'prompt')
  if (truncation === 'auto') throw unsupportedParameter("'auto' truncation", 'truncation')
  const unknown = Array.isArray(include) ? include.find((one: unknown) => !INCLUDED.includes(one)) : undefined
  if (unknown !== undefined) throw unsupportedParameter(`'${String(unknown)}'`, 'include')
  if (instructions === undefined || instructions === null || typeof instructions === 'string') return
  throw invalidRequest("'instructions' must be text.", 'instructions')
}

/** The number in a field that chat completions have under another name; undefined without one. */
function integerOf(body: Fields, name: string, min: number): number | undefined {
  const value = body[name] ?? undefined
  if (value === undefined) return undefined
  if (Number.isSafeInteger(value) && (value as number) >= min) return value as number
  throw invalidRequest(`'${name}' must be an integer of ${min} or more.`, name)
}

function convertStreamOptions(options: unknown): object {
  const obfuscation = isObject(options) ? (options.include_obfuscation ?? undefined) : undefined
  return { include_usage: true, ...(obfuscation === undefined ? {} : { include_obfuscation: obfuscation }) }
}

function convertFormat(format: unknown): object | undefined {
  if (!isObject(format) || format.type === 'text') return undefined
  if (format.type === 'json_object') return { type: 'json_object' }
  if (format.type !== 'json_schema') throw unsupportedParameter(`the format '${format.type}'`, 'text.format')
  const { type, ...schema } = format
  return { type, json_schema: Object.fromEntries(Object.entries(schema).filter(([, value]) => value !== null)) }
}
