import type {
  JSONObject,
  JSONValue,
  LanguageModelV4CallOptions,
  LanguageModelV4FunctionTool,
  LanguageModelV4ToolChoice,
  SharedV4ProviderOptions,
} from '@ai-sdk/provider'
import { isRawNumber } from '../../core/exact-json.ts'
import { isObject } from '../../core/validate.ts'
import { PurserError } from '../../errors.ts'
import { type ChatRequest, fieldsOf } from '../../openai/chat.ts'
import { convertToPrompt } from './convert-to-prompt.ts'
import { cacheOptionsOf } from './part-options.ts'

type Options = LanguageModelV4CallOptions
type Fields = Readonly<Record<string, unknown>>

const EFFORTS = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'] as const

/**
 * Converts an OpenAI chat request to AI SDK call options. What the SDK cannot express is `unsupported_parameter`
 * instead of dropped, if an answer without it would not be the requested one.
 */
export function convertToCallOptions(request: ChatRequest, abortSignal: AbortSignal): Options {
  rejectUnsupported(request)
  const { stop, reasoning_effort } = request
  const fields: Partial<Record<keyof Options, unknown>> = {
    maxOutputTokens: numberOf(request.max_completion_tokens) ?? numberOf(request.max_tokens),
    temperature: numberOf(request.temperature),
    topP: numberOf(request.top_p),
    topK: numberOf(fieldsOf(request).top_k),
    presencePenalty: numberOf(request.presence_penalty),
    frequencyPenalty: numberOf(request.frequency_penalty),
    seed: isRawNumber(request.seed) ? request.seed : numberOf(request.seed),
    stopSequences: typeof stop === 'string' ? [stop] : Array.isArray(stop) ? stop : undefined,
    reasoning: convertEffort(reasoning_effort),
    responseFormat: convertResponseFormat(request.response_format),
    tools: convertTools(request.tools),
    toolChoice: convertToolChoice(request.tool_choice),
    providerOptions: createProviderOptions(request),
  }
  const defined = Object.entries(fields).filter(([, value]) => value !== undefined)
  return { ...Object.fromEntries(defined), prompt: convertToPrompt(request.messages), abortSignal }
}

/** Fields that only providers of OpenAI's format have, and that an answer would not be the requested one without. */
const UNSUPPORTED_FIELDS = [
  'audio',
  'function_call',
  'functions',
  'logit_bias',
  'prediction',
  'top_logprobs',
  'web_search_options',
] as const

function rejectUnsupported(request: ChatRequest): void {
  const { n, logprobs, modalities } = request
  if ((numberOf(n) ?? 1) !== 1) throw unsupported("'n' other than 1", 'n')
  if (logprobs === true) throw unsupported("'logprobs'", 'logprobs')
  if (Array.isArray(modalities) && modalities.some((one) => one !== 'text')) {
    throw unsupported('answers other than text', 'modalities')
  }
  const field = UNSUPPORTED_FIELDS.find((name) => (request[name] ?? null) !== null)
  if (field !== undefined) throw unsupported(`'${field}'`, field)
}

function convertEffort(effort: unknown): Options['reasoning'] {
  if (effort === undefined || effort === null || effort === 'provider-default') return undefined
  const known = EFFORTS.find((one) => one === effort)
  if (known === undefined) throw unsupported(`the reasoning effort '${String(effort)}'`, 'reasoning_effort')
  return known
}

function convertResponseFormat(format: unknown): Options['responseFormat'] {
  if (!isObject(format) || format.type === 'text') return undefined
  if (format.type === 'json_object') return { type: 'json' }
  const jsonSchema = format.json_schema
  if (format.type !== 'json_schema' || !isObject(jsonSchema)) {
    throw unsupported(`the response format '${String(format.type)}'`, 'response_format')
  }
  const { schema, name, description } = jsonSchema as { schema?: object; name?: string; description?: string }
  return {
    type: 'json',
    ...(schema === undefined ? {} : { schema }),
    ...(name === undefined ? {} : { name }),
    ...(description === undefined ? {} : { description }),
  }
}

function convertTools(tools: unknown): LanguageModelV4FunctionTool[] | undefined {
  if (!Array.isArray(tools) || tools.length === 0) return undefined
  return tools.map((tool: unknown, index) => {
    const definition = isObject(tool) && tool.type === 'function' ? tool.function : undefined
    if (!isObject(definition) || typeof definition.name !== 'string') {
      throw unsupported('a tool that is not a function with a name', `tools[${index}]`)
    }
    const { name, parameters, description, strict } = definition
    return {
      type: 'function',
      name: name as string,
      inputSchema: isObject(parameters) ? parameters : { type: 'object', properties: {} },
      ...(typeof description === 'string' ? { description } : {}),
      ...(typeof strict === 'boolean' ? { strict } : {}),
      ...cacheOptionsOf(tool as Fields),
    }
  })
}

function convertToolChoice(choice: unknown): LanguageModelV4ToolChoice | undefined {
  if (choice === undefined || choice === null) return undefined
  if (choice === 'auto' || choice === 'none' || choice === 'required') return { type: choice }
  const definition = isObject(choice) ? choice.function : undefined
  if (isObject(definition) && typeof definition.name === 'string') return { type: 'tool', toolName: definition.name }
  throw unsupported('this tool choice', 'tool_choice')
}

/**
 * The provider options of the user's settings, with what the request says beyond the SDK's own options, such as the
 * pseudonym of the user that the turn put into it, under the names that the providers use.
 */
function createProviderOptions(request: ChatRequest): SharedV4ProviderOptions {
  const { safety_identifier, user, parallel_tool_calls, cache_control } = request
  const { providerOptions } = fieldsOf(request)
  const userId = safety_identifier ?? user
  const openai = createOpenAiOptions(request)
  const anthropic = {
    ...(userId === undefined ? {} : { metadata: { userId } }),
    ...(typeof parallel_tool_calls === 'boolean' ? { disableParallelToolUse: !parallel_tool_calls } : {}),
    ...(isObject(cache_control) ? { cacheControl: cache_control as JSONObject } : {}),
  }
  const settings = isObject(providerOptions) ? (providerOptions as SharedV4ProviderOptions) : {}
  return {
    ...settings,
    openai: { ...settings.openai, ...openai },
    azure: { ...settings.azure, ...openai },
    anthropic: { ...settings.anthropic, ...anthropic },
  }
}

/** OpenAI's fields that have no counterpart in the SDK, and their names there. */
const OPENAI_OPTIONS: Readonly<Record<string, string>> = {
  safety_identifier: 'safetyIdentifier',
  user: 'user',
  parallel_tool_calls: 'parallelToolCalls',
  verbosity: 'textVerbosity',
  service_tier: 'serviceTier',
  store: 'store',
  metadata: 'metadata',
  prompt_cache_key: 'promptCacheKey',
  prompt_cache_options: 'promptCacheOptions',
  prompt_cache_retention: 'promptCacheRetention',
}

function createOpenAiOptions(request: ChatRequest): Record<string, JSONValue> {
  const fields = fieldsOf(request)
  const options: Record<string, JSONValue> = {}
  for (const [name, option] of Object.entries(OPENAI_OPTIONS)) {
    const value = fields[name]
    if (value !== undefined && value !== null) options[option] = value as JSONValue
  }
  const { response_format: format } = request
  const schema = format?.type === 'json_schema' ? (format.json_schema as Fields) : undefined
  // The SDK asks for a strict schema unless it is told otherwise, OpenAI does not.
  if (schema !== undefined) options.strictJsonSchema = schema.strict === true
  return options
}

function unsupported(what: string, param: string): PurserError {
  return new PurserError('unsupported_parameter', `This provider does not support ${what}.`, { details: { param } })
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined
}
