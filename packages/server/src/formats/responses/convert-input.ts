import { type ChatMessage, type ContentPart, isObject } from 'purser/internal'
import type { Fields } from '../request-body.ts'
import { invalidRequest, unsupportedParameter } from '../unsupported-parameter.ts'
import { nameInNamespace } from './convert-tools.ts'

/**
 * Converts the input of a response to chat messages. Reasoning, a message and tool calls that follow one another are one
 * message of the assistant. What chat completions cannot say is `unsupported_parameter`.
 */
export function convertInput(input: unknown): ChatMessage[] {
  if (typeof input === 'string') return [{ role: 'user', content: input }]
  if (!Array.isArray(input)) throw invalidRequest("'input' must be text or a list of items.", 'input')
  const messages: ChatMessage[] = []
  input.forEach((item: unknown, index) => {
    const param = `input[${index}]`
    if (!isObject(item)) throw invalidRequest(`'${param}' must be an object.`, param)
    addItem(messages, item, param)
  })
  return messages
}

function addItem(messages: ChatMessage[], item: Fields, param: string): void {
  const { type = 'message' } = item
  const add = typeof type === 'string' && Object.hasOwn(ITEMS, type) ? ITEMS[type] : undefined
  if (add === undefined) throw unsupportedParameter(`input items of the type '${type}'`, param)
  add(messages, item, param)
}

const ITEMS: Readonly<Record<string, typeof addItem>> = {
  message: addMessage,
  reasoning: addReasoning,
  function_call(messages, item, param) {
    const name = nameInNamespace(item.namespace, textOf(item, 'name', param))
    const definition = { name, arguments: textOf(item, 'arguments', param) }
    addCall(messages, { id: textOf(item, 'call_id', param), type: 'function', function: definition })
  },
  custom_tool_call(messages, item, param) {
    const name = nameInNamespace(item.namespace, textOf(item, 'name', param))
    const definition = { name, input: textOf(item, 'input', param) }
    addCall(messages, { id: textOf(item, 'call_id', param), type: 'custom', custom: definition })
  },
  function_call_output: addToolOutput,
  custom_tool_call_output: addToolOutput,
}

function addReasoning(messages: ChatMessage[], item: Fields): void {
  const message = openAssistant(messages, ['content', 'tool_calls'])
  const text = textOfReasoning(item)
  if (text !== '') message.reasoning_content = `${message.reasoning_content ?? ''}${text}`
}

function addMessage(messages: ChatMessage[], { role, content }: Fields, param: string): void {
  if (typeof role !== 'string') throw invalidRequest(`'${param}.role' must be text.`, `${param}.role`)
  const converted = convertContent(content, `${param}.content`)
  if (role !== 'assistant') messages.push({ role: role as ChatMessage['role'], content: converted })
  else openAssistant(messages, ['content', 'tool_calls']).content = converted
}

/** The last message, if it is the assistant's and has none of these fields yet; otherwise a new one. */
function openAssistant(messages: ChatMessage[], fields: readonly (keyof ChatMessage)[]): ChatMessage {
  const last = messages.at(-1)
  if (last?.role === 'assistant' && fields.every((field) => (last[field] ?? null) === null)) return last
  const message: ChatMessage = { role: 'assistant', content: null }
  messages.push(message)
  return message
}

function addCall(messages: ChatMessage[], call: object): void {
  const message = openAssistant(messages, [])
  message.tool_calls = [...(message.tool_calls ?? []), call]
}

/** Texts are the output of the tool; chat completions know images from users only. */
function addToolOutput(messages: ChatMessage[], item: Fields, param: string): void {
  const content = convertContent(item.output, `${param}.output`)
  const parts = typeof content === 'string' ? [] : content
  const texts = parts.filter(({ type }) => type === 'text')
  const files = parts.filter(({ type }) => type !== 'text')
  const text = typeof content === 'string' ? content : texts.map((part) => part.text ?? '').join('\n')
  messages.push({ role: 'tool', tool_call_id: textOf(item, 'call_id', param), content: text })
  if (files.length > 0) messages.push({ role: 'user', content: files })
}

function convertContent(content: unknown, param: string): string | ContentPart[] {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) throw invalidRequest(`'${param}' must be text or a list of parts.`, param)
  const parts = content.map((part: unknown, index) => convertPart(part, `${param}[${index}]`))
  const [only] = parts
  return parts.length === 1 && only?.type === 'text' ? (only.text ?? '') : parts
}

function convertPart(part: unknown, param: string): ContentPart {
  if (!isObject(part)) throw invalidRequest(`'${param}' must be an object.`, param)
  switch (part.type) {
    case 'input_text':
    case 'output_text':
    case 'text':
      return { type: 'text', text: textOf(part, 'text', param) }
    case 'refusal':
      return { type: 'refusal', refusal: textOf(part, 'refusal', param) }
    case 'input_image': {
      if (typeof part.image_url !== 'string') throw unsupportedParameter('images by a file id', `${param}.file_id`)
      const detail = part.detail === undefined ? {} : { detail: part.detail as string }
      return { type: 'image_url', image_url: { url: part.image_url, ...detail } }
    }
    case 'input_file': {
      if (typeof part.file_url === 'string') throw unsupportedParameter('files by an address', `${param}.file_url`)
      const { file_data, file_id, filename } = part
      const fields = Object.entries({ file_data, file_id, filename }).filter(([, value]) => typeof value === 'string')
      return { type: 'file', file: Object.fromEntries(fields) }
    }
    case 'input_audio':
      return { type: 'input_audio', input_audio: part.input_audio as ContentPart['input_audio'] }
    default:
      throw unsupportedParameter(`content of the type '${part.type}'`, param)
  }
}

/** What the model thought, or else its summary. What only its provider can read is left out. */
function textOfReasoning({ content, summary }: Fields): string {
  for (const parts of [content, summary]) {
    if (!Array.isArray(parts)) continue
    const texts = parts.map((part: unknown) => (isObject(part) && typeof part.text === 'string' ? part.text : ''))
    if (texts.some((text) => text !== '')) return texts.join('\n\n')
  }
  return ''
}

function textOf(item: Fields, field: string, param: string): string {
  const value = item[field]
  if (typeof value === 'string') return value
  throw invalidRequest(`'${param}.${field}' must be text.`, `${param}.${field}`)
}
