import type {
  LanguageModelV4CallOptions,
  LanguageModelV4FunctionTool,
  LanguageModelV4ToolChoice,
  SharedV4ProviderOptions,
} from '@ai-sdk/provider'
import { PurserError } from '../../errors.ts'
import type { ChatRequest } from '../../openai/chat.ts'
import { convertToPrompt } from './convert-to-prompt.ts'

type Options = LanguageModelV4CallOptions

const EFFORTS = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'] as const

/**
 * An OpenAI chat request as AI SDK call options. What providers cannot do through the SDK is `request_invalid` rather
 * than dropped, where an answer without it would not be what was asked for.
 */
export function convertToCallOptions(request: ChatRequest, abortSignal: AbortSignal): Options {
  if ((numberOf(request.n) ?? 1) !== 1) throw unsupported("'n' other than 1", 'n')
  if (request.logprobs === true) throw unsupported("'logprobs'", 'logprobs')
  const { stop, reasoning_effort } = request
  const fields: Partial<Record<keyof Options, unknown>> = {
    maxOutputTokens: numberOf(request.max_completion_tokens) ?? numberOf(request.max_tokens),
    temperature: numberOf(request.temperature),
    topP: numberOf(request.top_p),
    topK: numberOf(request.top_k),
    presencePenalty: numberOf(request.presence_penalty),
    frequencyPenalty: numberOf(request.frequency_penalty),
    seed: numberOf(request.seed),
    stopSequences: typeof stop === 'string' ? [stop] : Array.isArray(stop) ? stop : undefined,
    reasoning: EFFORTS.find((effort) => effort === reasoning_effort),
    responseFormat: responseFormat(request.response_format),
    tools: toolsOf(request.tools),
    toolChoice: toolChoice(request.tool_choice),
    providerOptions: providerOptions(request),
  }
  const given = Object.entries(fields).filter(([, value]) => value !== undefined)
  return { ...Object.fromEntries(given), prompt: convertToPrompt(request.messages), abortSignal }
}

function responseFormat(format: unknown): Options['responseFormat'] {
  if (!isFields(format) || format.type === 'text') return undefined
  if (format.type === 'json_object') return { type: 'json' }
  const wanted = format.json_schema
  if (format.type !== 'json_schema' || !isFields(wanted)) {
    throw unsupported(`the response format '${String(format.type)}'`, 'response_format')
  }
  const { schema, name, description } = wanted as { schema?: object; name?: string; description?: string }
  return {
    type: 'json',
    ...(schema === undefined ? {} : { schema }),
    ...(name === undefined ? {} : { name }),
    ...(description === undefined ? {} : { description }),
  }
}

function toolsOf(tools: unknown): LanguageModelV4FunctionTool[] | undefined {
  if (!Array.isArray(tools) || tools.length === 0) return undefined
  return tools.map((tool: unknown, place) => {
    const made = isFields(tool) && tool.type === 'function' ? tool.function : undefined
    if (!isFields(made) || typeof made.name !== 'string') {
      throw unsupported('a tool that is not a function with a name', `tools[${place}]`)
    }
    return {
      type: 'function',
      name: made.name,
      inputSchema: isFields(made.parameters) ? made.parameters : { type: 'object', properties: {} },
      ...(typeof made.description === 'string' ? { description: made.description } : {}),
      ...(typeof made.strict === 'boolean' ? { strict: made.strict } : {}),
    }
  })
}

function toolChoice(choice: unknown): LanguageModelV4ToolChoice | undefined {
  if (choice === undefined || choice === null) return undefined
  if (choice === 'auto' || choice === 'none' || choice === 'required') return { type: choice }
  const made = isFields(choice) ? choice.function : undefined
  if (isFields(made) && typeof made.name === 'string') return { type: 'tool', toolName: made.name }
  throw unsupported('this tool choice', 'tool_choice')
}

/**
 * The settings' own options for providers, and over them the pseudonym that the turn has put into the request, under
 * the names that providers know it by.
 */
function providerOptions(request: ChatRequest): SharedV4ProviderOptions {
  const { safety_identifier, user, parallel_tool_calls } = request
  const id = safety_identifier ?? user
  const parallel = typeof parallel_tool_calls === 'boolean' ? parallel_tool_calls : undefined
  const openai = {
    ...(safety_identifier === undefined ? {} : { safetyIdentifier: safety_identifier }),
    ...(user === undefined ? {} : { user }),
    ...(parallel === undefined ? {} : { parallelToolCalls: parallel }),
  }
  const anthropic = {
    ...(id === undefined ? {} : { metadata: { userId: id } }),
    ...(parallel === undefined ? {} : { disableParallelToolUse: !parallel }),
  }
  const given = isFields(request.providerOptions) ? (request.providerOptions as SharedV4ProviderOptions) : {}
  return {
    ...given,
    openai: { ...given.openai, ...openai },
    azure: { ...given.azure, ...openai },
    anthropic: { ...given.anthropic, ...anthropic },
  }
}

function unsupported(what: string, param: string): PurserError {
  return new PurserError('request_invalid', `This provider does not support ${what}.`, { details: { param } })
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined
}

function isFields(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
