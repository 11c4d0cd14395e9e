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

/** Converts AI SDK call options to an OpenAI chat request. What the format cannot express is `request_invalid`. */
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
    response_format: convertResponseFormat(options.responseFormat),
    tools: convertTools(options.tools),
    tool_choice:
      toolChoice?.type === 'tool' ? { type: 'function', function: { name: toolChoice.toolName } } : toolChoice?.type,
  }
  const defined = Object.entries(fields).filter(([, value]) => value !== undefined)
  return { ...Object.fromEntries(defined), messages: options.prompt.flatMap(convertMessage) }
}

function convertResponseFormat(format: LanguageModelV4CallOptions['responseFormat']): unknown {
  if (format === undefined || format.type === 'text') return undefined
  const { schema, name = 'response', description } = format
  if (schema === undefined) return { type: 'json_object' }
  const described = description === undefined ? {} : { description }
  return { type: 'json_schema', json_schema: { name, schema, strict: true, ...described } }
}

function convertTools(tools: LanguageModelV4CallOptions['tools']): unknown[] | undefined {
  if (tools === undefined || tools.length === 0) return undefined
  return tools.map((tool) => {
    if (tool.type !== 'function') throw unsupported(`the tool '${tool.id}'`)
    const { name, description, inputSchema: parameters, strict } = tool
    return { type: 'function', function: { name, description, parameters, strict } }
  })
}

function convertMessage(message: LanguageModelV4Message): ChatMessage[] {
  switch (message.role) {
    case 'system':
      return [{ role: 'system', content: message.content }]
    case 'user':
      return [{ role: 'user', content: convertUserContent(message.content) }]
    case 'assistant':
      return [convertAssistantMessage(message.content)]
    case 'tool':
      return message.content.filter((part) => part.type === 'tool-result').map(convertToolResult)
  }
}

function convertUserContent(parts: (LanguageModelV4Message & { role: 'user' })['content']): string | ContentPart[] {
  const [only] = parts
  if (parts.length === 1 && only?.type === 'text') return only.text
  return parts.map((part) => (part.type === 'text' ? { type: 'text', text: part.text } : convertFile(part)))
}

function convertFile({ data, mediaType, filename }: LanguageModelV4FilePart): ContentPart {
  if (data.type === 'text') return { type: 'text', text: data.text }
  if (data.type === 'reference') throw unsupported('a file reference')
  if (data.type === 'url') {
    if (mediaType.startsWith('image')) return { type: 'image_url', image_url: { url: data.url.href } }
    throw unsupported(`a file of type '${mediaType}' by URL`)
  }
  const base64 = typeof data.data === 'string' ? data.data : Buffer.from(data.data).toString('base64')
  if (mediaType.startsWith('image')) {
    const type = mediaType === 'image/*' || mediaType === 'image' ? 'image/jpeg' : mediaType
    return { type: 'image_url', image_url: { url: `data:${type};base64,${base64}` } }
  }
  const format = AUDIO_FORMATS[mediaType]
  if (format !== undefined) return { type: 'input_audio', input_audio: { data: base64, format } }
  return { type: 'file', file: { filename: filename ?? 'file', file_data: `data:${mediaType};base64,${base64}` } }
}

const AUDIO_FORMATS: Readonly<Record<string, string>> = { 'audio/wav': 'wav', 'audio/mpeg': 'mp3', 'audio/mp3': 'mp3' }

function convertAssistantMessage(parts: (LanguageModelV4Message & { role: 'assistant' })['content']): ChatMessage {
  let text = ''
  let reasoning = ''
  const toolCalls: object[] = []
  for (const part of parts) {
    if (part.type === 'text') text += part.text
    else if (part.type === 'reasoning') reasoning += part.text
    else if (part.type === 'tool-call') {
      const definition = { name: part.toolName, arguments: JSON.stringify(part.input ?? {}) }
      const extraContent = part.providerOptions === undefined ? {} : { extra_content: part.providerOptions }
      toolCalls.push({ id: part.toolCallId, type: 'function', function: definition, ...extraContent })
    }
  }
  return {
    role: 'assistant',
    content: text === '' && toolCalls.length > 0 ? null : text,
    ...(reasoning === '' ? {} : { reasoning_content: reasoning }),
    ...(toolCalls.length === 0 ? {} : { tool_calls: toolCalls }),
  }
}

function convertToolResult({ toolCallId, output }: LanguageModelV4ToolResultPart): ChatMessage {
  return { role: 'tool', tool_call_id: toolCallId, content: textOfOutput(output) }
}

function textOfOutput(output: LanguageModelV4ToolResultOutput): string {
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
  return new PurserError('request_invalid', `A chat completions request cannot express ${what}.`)
}
