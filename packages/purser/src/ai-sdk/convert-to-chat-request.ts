import type {
  JSONValue,
  LanguageModelV4CallOptions,
  LanguageModelV4FilePart,
  LanguageModelV4Message,
  LanguageModelV4ToolResultOutput,
  LanguageModelV4ToolResultPart,
} from '@ai-sdk/provider'
import { PurserError } from '../errors.ts'
import type { ChatMessage, ChatRequest, ContentPart } from '../openai/chat.ts'

/** AI SDK call options as an OpenAI chat request. What the format has no word for is `request_invalid`. */
export function convertToChatRequest(options: LanguageModelV4CallOptions): ChatRequest {
  const { reasoning, stopSequences, toolChoice } = options
  const fields: Record<string, unknown> = {
    temperature: options.temperature,
    top_p: options.topP,
    top_k: options.topK,
    max_tokens: options.maxOutputTokens,
    frequency_penalty: options.frequencyPenalty,
    presence_penalty: options.presencePenalty,
    seed: options.seed,
    stop: stopSequences !== undefined && stopSequences.length > 0 ? stopSequences : undefined,
    reasoning_effort: reasoning === 'provider-default' ? undefined : reasoning,
    response_format: responseFormat(options.responseFormat),
    tools: toolsOf(options.tools),
    tool_choice:
      toolChoice?.type === 'tool' ? { type: 'function', function: { name: toolChoice.toolName } } : toolChoice?.type,
  }
  const given = Object.entries(fields).filter(([, value]) => value !== undefined)
  return { ...Object.fromEntries(given), messages: options.prompt.flatMap(messagesOf) }
}

function responseFormat(format: LanguageModelV4CallOptions['responseFormat']): unknown {
  if (format === undefined || format.type === 'text') return undefined
  const { schema, name = 'response', description } = format
  if (schema === undefined) return { type: 'json_object' }
  const described = description === undefined ? {} : { description }
  return { type: 'json_schema', json_schema: { name, schema, strict: true, ...described } }
}

function toolsOf(tools: LanguageModelV4CallOptions['tools']): unknown[] | undefined {
  if (tools === undefined || tools.length === 0) return undefined
  return tools.map((tool) => {
    if (tool.type !== 'function') throw unsupported(`the tool '${tool.id}'`)
    const { name, description, inputSchema: parameters, strict } = tool
    return { type: 'function', function: { name, description, parameters, strict } }
  })
}

function messagesOf(message: LanguageModelV4Message): ChatMessage[] {
  switch (message.role) {
    case 'system':
      return [{ role: 'system', content: message.content }]
    case 'user':
      return [{ role: 'user', content: userContent(message.content) }]
    case 'assistant':
      return [assistantMessage(message.content)]
    case 'tool':
      return message.content.filter((part) => part.type === 'tool-result').map(toolMessage)
  }
}

function userContent(parts: (LanguageModelV4Message & { role: 'user' })['content']): string | ContentPart[] {
  const [only] = parts
  if (parts.length === 1 && only?.type === 'text') return only.text
  return parts.map((part) => (part.type === 'text' ? { type: 'text', text: part.text } : filePart(part)))
}

function filePart({ data, mediaType, filename }: LanguageModelV4FilePart): ContentPart {
  if (data.type === 'text') return { type: 'text', text: data.text }
  if (data.type === 'reference') throw unsupported('a file reference')
  if (data.type === 'url') {
    if (mediaType.startsWith('image')) return { type: 'image_url', image_url: { url: data.url.href } }
    throw unsupported(`a file of type '${mediaType}' by its address`)
  }
  const base64 = typeof data.data === 'string' ? data.data : Buffer.from(data.data).toString('base64')
  if (mediaType.startsWith('image')) {
    const type = mediaType === 'image/*' || mediaType === 'image' ? 'image/jpeg' : mediaType
    return { type: 'image_url', image_url: { url: `data:${type};base64,${base64}` } }
  }
  const audio = AUDIO_FORMATS[mediaType]
  if (audio !== undefined) return { type: 'input_audio', input_audio: { data: base64, format: audio } }
  return { type: 'file', file: { filename: filename ?? 'file', file_data: `data:${mediaType};base64,${base64}` } }
}

const AUDIO_FORMATS: Readonly<Record<string, string>> = { 'audio/wav': 'wav', 'audio/mpeg': 'mp3', 'audio/mp3': 'mp3' }

function assistantMessage(parts: (LanguageModelV4Message & { role: 'assistant' })['content']): ChatMessage {
  let text = ''
  let reasoning = ''
  const calls: unknown[] = []
  for (const part of parts) {
    if (part.type === 'text') text += part.text
    else if (part.type === 'reasoning') reasoning += part.text
    else if (part.type === 'tool-call') {
      const made = { name: part.toolName, arguments: JSON.stringify(part.input ?? {}) }
      const attached = part.providerOptions === undefined ? {} : { extra_content: part.providerOptions }
      calls.push({ id: part.toolCallId, type: 'function', function: made, ...attached })
    }
  }
  return {
    role: 'assistant',
    content: text === '' && calls.length > 0 ? null : text,
    ...(reasoning === '' ? {} : { reasoning_content: reasoning }),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
  }
}

function toolMessage({ toolCallId, output }: LanguageModelV4ToolResultPart): ChatMessage {
  return { role: 'tool', tool_call_id: toolCallId, content: outputText(output) }
}

function outputText(output: LanguageModelV4ToolResultOutput): string {
  switch (output.type) {
    case 'text':
    case 'error-text':
      return output.value
    case 'execution-denied':
      return output.reason ?? 'The tool was not allowed to run.'
    case 'content':
      return output.value.every((part) => part.type === 'text')
        ? output.value.map((part) => (part.type === 'text' ? part.text : '')).join('\n')
        : JSON.stringify(output.value)
    default:
      return JSON.stringify(output.value satisfies JSONValue)
  }
}

function unsupported(what: string): PurserError {
  return new PurserError('request_invalid', `A chat completions request has no place for ${what}.`)
}
