import type {
  LanguageModelV4FilePart,
  LanguageModelV4Message,
  LanguageModelV4Prompt,
  LanguageModelV4TextPart,
  LanguageModelV4ToolCallPart,
  LanguageModelV4ToolResultPart,
  SharedV4ProviderOptions,
} from '@ai-sdk/provider'
import { PurserError } from '../../errors.ts'
import type { ChatMessage, ContentPart } from '../../openai/chat.ts'

type UserPart = LanguageModelV4TextPart | LanguageModelV4FilePart

/**
 * OpenAI messages as an AI SDK prompt. Results of tools find the tool's name by the call they answer; those that
 * follow each other are one message, as providers that count them want it. What has no form there is `request_invalid`.
 */
export function convertToPrompt(messages: readonly ChatMessage[]): LanguageModelV4Prompt {
  const prompt: LanguageModelV4Prompt = []
  const toolNames = new Map<string, string>()
  for (const [place, message] of messages.entries()) {
    const param = `messages[${place}]`
    if (message.role === 'tool') {
      const result = toolResult(message, toolNames, param)
      const last = prompt.at(-1)
      if (last?.role === 'tool') last.content.push(result)
      else prompt.push({ role: 'tool', content: [result] })
    } else prompt.push(messageOf(message, toolNames, param))
  }
  return prompt
}

function messageOf(message: ChatMessage, toolNames: Map<string, string>, param: string): LanguageModelV4Message {
  switch (message.role) {
    case 'system':
    case 'developer':
      return { role: 'system', content: textOf(message, param) }
    case 'user':
      return { role: 'user', content: userParts(message, param) }
    case 'assistant': {
      const text = textOf(message, param)
      const calls = toolCalls(message, toolNames, param)
      return { role: 'assistant', content: [...(text === '' ? [] : [{ type: 'text' as const, text }]), ...calls] }
    }
    default:
      throw invalid(`A message of the role '${message.role}' has no form for this provider.`, `${param}.role`)
  }
}

function userParts({ content }: ChatMessage, param: string): UserPart[] {
  if (!Array.isArray(content)) return [{ type: 'text', text: content ?? '' }]
  return content.map((part, place) => userPart(part, `${param}.content[${place}]`))
}

function userPart(part: ContentPart, param: string): UserPart {
  if (part.type === 'text') return { type: 'text', text: part.text ?? '' }
  if (part.type === 'image_url') return addressed(fieldOf(part.image_url, 'url'), 'image/*', param)
  if (part.type === 'input_audio') {
    const format = fieldOf(part.input_audio, 'format') ?? 'wav'
    const data = fieldOf(part.input_audio, 'data')
    if (data !== undefined) return file(data, format === 'mp3' ? 'audio/mpeg' : `audio/${format}`)
  }
  if (part.type === 'file') {
    const found = addressed(fieldOf(part.file, 'file_data'), 'application/octet-stream', param)
    const filename = fieldOf(part.file, 'filename')
    return filename === undefined ? found : { ...found, filename }
  }
  throw invalid(`A part of the type '${part.type}' has no form for this provider.`, param)
}

/** Data of its own, or an address that the provider fetches; nothing is fetched from here. */
function addressed(url: string | undefined, mediaType: string, param: string): LanguageModelV4FilePart {
  const inline = /^data:([^;,]*)(?:;[^;,]*)*;base64,(.*)$/s.exec(url ?? '')
  if (inline !== null) return file(inline[2] ?? '', inline[1] || mediaType)
  if (url === undefined || !/^https?:/i.test(url) || !URL.canParse(url)) {
    throw invalid('A file must be a data: URL in base64 or an http(s) address.', param)
  }
  return { type: 'file', mediaType, data: { type: 'url', url: new URL(url) } }
}

function file(data: string, mediaType: string): LanguageModelV4FilePart {
  return { type: 'file', mediaType, data: { type: 'data', data } }
}

function toolCalls(
  { tool_calls }: ChatMessage,
  toolNames: Map<string, string>,
  param: string,
): LanguageModelV4ToolCallPart[] {
  if (!Array.isArray(tool_calls)) return []
  return tool_calls.map((call: unknown, place) => {
    const where = `${param}.tool_calls[${place}]`
    const id = fieldOf(call, 'id')
    const made = (call as { function?: unknown } | null)?.function
    const name = fieldOf(made, 'name')
    if (id === undefined || name === undefined) throw invalid('A tool call needs an id and a function name.', where)
    toolNames.set(id, name)
    const input = inputOf(fieldOf(made, 'arguments'), where)
    const attached = (call as { extra_content?: unknown }).extra_content
    const providerOptions = isFields(attached) ? { providerOptions: attached as SharedV4ProviderOptions } : {}
    return { type: 'tool-call', toolCallId: id, toolName: name, input, ...providerOptions }
  })
}

function inputOf(text: string | undefined, param: string): unknown {
  if (text === undefined || text === '') return {}
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw invalid('The arguments of a tool call must be JSON.', `${param}.function.arguments`, cause)
  }
}

function toolResult(
  message: ChatMessage,
  toolNames: Map<string, string>,
  param: string,
): LanguageModelV4ToolResultPart {
  const id = fieldOf(message, 'tool_call_id')
  const toolName = id === undefined ? undefined : toolNames.get(id)
  if (id === undefined || toolName === undefined) {
    throw invalid('A tool message must answer a tool call that came before it.', `${param}.tool_call_id`)
  }
  return { type: 'tool-result', toolCallId: id, toolName, output: { type: 'text', value: textOf(message, param) } }
}

function textOf({ content }: ChatMessage, param: string): string {
  if (!Array.isArray(content)) return content ?? ''
  return content
    .map((part, place) => {
      if (part.type === 'text' || part.type === 'refusal') return part.text ?? fieldOf(part, 'refusal') ?? ''
      throw invalid(`A part of the type '${part.type}' cannot stand here.`, `${param}.content[${place}]`)
    })
    .join('\n')
}

function isFields(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function fieldOf(value: unknown, name: string): string | undefined {
  const found = isFields(value) ? value[name] : undefined
  return typeof found === 'string' ? found : undefined
}

function invalid(message: string, param: string, cause?: unknown): PurserError {
  return new PurserError('request_invalid', message, { details: { param }, cause })
}
