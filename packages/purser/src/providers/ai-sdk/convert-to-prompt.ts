import type {
  LanguageModelV4FilePart,
  LanguageModelV4Message,
  LanguageModelV4Prompt,
  LanguageModelV4ReasoningPart,
  LanguageModelV4TextPart,
  LanguageModelV4ToolCallPart,
  LanguageModelV4ToolResultPart,
  SharedV4ProviderOptions,
} from '@ai-sdk/provider'
import { isObject } from '../../core/validate.ts'
import { PurserError } from '../../errors.ts'
import type { ChatMessage, ContentPart } from '../../openai/chat.ts'
import { reasoningDetailsOf } from '../../openai/reasoning-details.ts'
import { cacheOptionsOf, partOptionsOf } from './part-options.ts'
import { toReasoningPart } from './signed-reasoning.ts'

type UserPart = LanguageModelV4TextPart | LanguageModelV4FilePart

/**
 * Converts OpenAI messages to an AI SDK prompt. The tool name of a tool result comes from the call that it answers.
 * Consecutive tool results become one message, as providers that count messages require. Texts without a visible
 * character, which providers refuse, are left out, and so are messages without anything else. What the prompt format
 * cannot express is `unsupported_parameter`.
 */
export function convertToPrompt(messages: readonly ChatMessage[]): LanguageModelV4Prompt {
  const prompt: LanguageModelV4Prompt = []
  const toolNames = new Map<string, string>()
  for (const [index, message] of messages.entries()) {
    const param = `messages[${index}]`
    if (message.role === 'tool') {
      const result = convertToolResult(message, toolNames, param)
      const last = prompt.at(-1)
      if (last?.role === 'tool') last.content.push(result)
      else prompt.push({ role: 'tool', content: [result] })
    } else if (message.role === 'system' || message.role === 'developer')
      prompt.push(...convertInstructions(message, param))
    else {
      const converted = convertMessage(message, toolNames, param)
      if (converted.content.length > 0) prompt.push(converted)
    }
  }
  if (prompt.length === 0) throw invalid('The messages have no content.', 'messages')
  return prompt
}

function convertMessage(message: ChatMessage, toolNames: Map<string, string>, param: string): LanguageModelV4Message {
  switch (message.role) {
    case 'user':
      return { role: 'user', content: convertUserContent(message, param) }
    case 'assistant':
      return { role: 'assistant', content: convertAssistantContent(message, toolNames, param) }
    default:
      throw unsupported(`messages with the role '${message.role}'`, `${param}.role`)
  }
}

type AssistantPart = (LanguageModelV4Message & { role: 'assistant' })['content'][number]

/** Reasoning alone is no content. */
function convertAssistantContent(message: ChatMessage, toolNames: Map<string, string>, param: string): AssistantPart[] {
  const { content, refusal, audio } = message
  if (isObject(audio)) throw unsupported('answers other than text', `${param}.audio`)
  const texts = [...(Array.isArray(content) ? content : [content]), refusal].map((part, index) => {
    const isPart = typeof part === 'object' && part !== null
    const text = isPart ? textOfPart(part, `${param}.content[${index}]`) : (part ?? '')
    return { type: 'text' as const, text, ...(isPart ? partOptionsOf(part) : {}) }
  })
  const said = [...texts.filter(({ text }) => visible(text) !== ''), ...convertToolCalls(message, toolNames, param)]
  return said.length === 0 ? [] : [...convertReasoning(message), ...said]
}

/** As its provider has signed it, else as text. */
function convertReasoning(message: ChatMessage): LanguageModelV4ReasoningPart[] {
  const details = reasoningDetailsOf(message)
  if (details.length > 0) return details.map(toReasoningPart)
  const { reasoning_content: text } = message
  return typeof text === 'string' && text !== '' ? [{ type: 'reasoning', text }] : []
}

/** Parts with a cache breakpoint, and what follows them, become messages of their own, so that the breakpoint stays. */
function convertInstructions(message: ChatMessage, param: string): LanguageModelV4Message[] {
  const { content } = message
  if (!Array.isArray(content) || !content.some(hasOptions))
    return withText([{ role: 'system', content: textOf(message, param) }])
  return withText(
    content.map((part, index) => {
      const text = textOfPart(part, `${param}.content[${index}]`)
      return { role: 'system', content: text, ...partOptionsOf(part) }
    }),
  )
}

function hasOptions(part: ContentPart): boolean {
  return partOptionsOf(part).providerOptions !== undefined
}

/** Providers refuse messages that have only white space. */
function withText(messages: readonly LanguageModelV4Message[]): LanguageModelV4Message[] {
  return messages.filter(({ role, content }) => role !== 'system' || visible(content) !== '')
}

function convertUserContent({ content }: ChatMessage, param: string): UserPart[] {
  const parts: UserPart[] = Array.isArray(content)
    ? content.map((part, index) => ({
        ...convertUserPart(part, `${param}.content[${index}]`),
        ...partOptionsOf(part),
      }))
    : [{ type: 'text', text: content ?? '' }]
  return parts.filter((part) => part.type !== 'text' || visible(part.text) !== '')
}

/** The text, or an empty one if it has only white space. */
function visible(text: string): string {
  return text.trim() === '' ? '' : text
}

function convertUserPart(part: ContentPart, param: string): UserPart {
  if (part.type === 'text') return { type: 'text', text: part.text ?? '' }
  if (part.type === 'image_url') return createFileFromURL(getText(part.image_url, 'url'), 'image/*', param)
  if (part.type === 'input_audio') {
    const format = getText(part.input_audio, 'format') ?? 'wav'
    const data = getText(part.input_audio, 'data')
    if (data !== undefined) return createFile(data, format === 'mp3' ? 'audio/mpeg' : `audio/${format}`)
  }
  if (part.type === 'file') {
    const id = getText(part.file, 'file_id')
    if (id !== undefined) return createFileReference(id)
    const file = createFileFromURL(getText(part.file, 'file_data'), 'application/octet-stream', param)
    const filename = getText(part.file, 'filename')
    return filename === undefined ? file : { ...file, filename }
  }
  throw unsupported(`content of the type '${part.type}'`, param)
}

/** Inline data, or an address that the provider fetches; Purser fetches nothing. */
function createFileFromURL(url: string | undefined, mediaType: string, param: string): LanguageModelV4FilePart {
  const inline = /^data:([^;,]*)(?:;[^;,]*)*;base64,(.*)$/s.exec(url ?? '')
  if (inline !== null) return createFile(inline[2] ?? '', inline[1] || mediaType)
  if (url === undefined || !/^https?:/i.test(url) || !URL.canParse(url)) {
    throw invalid('A file must be a data: URL in base64 or an http(s) address.', param)
  }
  return { type: 'file', mediaType, data: { type: 'url', url: new URL(url) } }
}

/** A file that was uploaded to a provider, under its id there; a provider that has no such files refuses it. */
function createFileReference(id: string): LanguageModelV4FilePart {
  const reference = { openai: id, azure: id }
  return { type: 'file', mediaType: 'application/pdf', data: { type: 'reference', reference } }
}

function createFile(data: string, mediaType: string): LanguageModelV4FilePart {
  return { type: 'file', mediaType, data: { type: 'data', data } }
}

function convertToolCalls(
  { tool_calls }: ChatMessage,
  toolNames: Map<string, string>,
  param: string,
): LanguageModelV4ToolCallPart[] {
  if (!Array.isArray(tool_calls)) return []
  return tool_calls.map((call: unknown, index) => {
    const callParam = `${param}.tool_calls[${index}]`
    const id = getText(call, 'id')
    const definition = (call as { function?: unknown } | null)?.function
    const name = getText(definition, 'name')
    if (id === undefined || name === undefined) {
      throw invalid('A tool call needs an id and a function name.', callParam)
    }
    toolNames.set(id, name)
    const input = parseArguments(getText(definition, 'arguments'), callParam)
    const extraContent = (call as { extra_content?: unknown }).extra_content
    const { providerOptions } = isObject(call) ? cacheOptionsOf(call) : {}
    const options = { ...providerOptions, ...(isObject(extraContent) ? (extraContent as SharedV4ProviderOptions) : {}) }
    const hasOptions = Object.keys(options).length > 0
    return {
      type: 'tool-call',
      toolCallId: id,
      toolName: name,
      input,
      ...(hasOptions ? { providerOptions: options } : {}),
    }
  })
}

function parseArguments(text: string | undefined, param: string): unknown {
  if (text === undefined || text === '') return {}
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw invalid('The arguments of a tool call must be JSON.', `${param}.function.arguments`, cause)
  }
}

function convertToolResult(
  message: ChatMessage,
  toolNames: Map<string, string>,
  param: string,
): LanguageModelV4ToolResultPart {
  const id = getText(message, 'tool_call_id')
  const toolName = id === undefined ? undefined : toolNames.get(id)
  if (id === undefined || toolName === undefined) {
    throw invalid('A tool message must answer a tool call of an earlier message.', `${param}.tool_call_id`)
  }
  const value = textOf(message, param)
  const parts = Array.isArray(message.content) ? message.content : []
  const options = parts.map(partOptionsOf).findLast(({ providerOptions }) => providerOptions !== undefined)
  // Each call needs a result, and some providers refuse a text without a visible character: as JSON it has its quotes.
  const type = visible(value) === '' ? 'json' : 'text'
  return { type: 'tool-result', toolCallId: id, toolName, output: { type, value }, ...options }
}

function textOf({ content }: ChatMessage, param: string): string {
  if (!Array.isArray(content)) return content ?? ''
  return content.map((part, index) => textOfPart(part, `${param}.content[${index}]`)).join('\n')
}

function textOfPart(part: ContentPart, param: string): string {
  if (part.type === 'text' || part.type === 'refusal') return part.text ?? getText(part, 'refusal') ?? ''
  throw invalid(`Content of the type '${part.type}' is not allowed in this message.`, param)
}

function getText(value: unknown, field: string): string | undefined {
  const text = isObject(value) ? value[field] : undefined
  return typeof text === 'string' ? text : undefined
}

function unsupported(what: string, param: string): PurserError {
  return new PurserError('unsupported_parameter', `This provider does not support ${what}.`, { details: { param } })
}

function invalid(message: string, param: string, cause?: unknown): PurserError {
  return new PurserError('request_invalid', message, { details: { param }, cause })
}
