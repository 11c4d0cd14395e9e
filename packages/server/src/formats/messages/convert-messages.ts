import { type ChatMessage, type ContentPart, isObject, type ReasoningDetail } from 'purser/internal'
import type { Fields } from '../request-body.ts'
import { invalidRequest, unsupportedParameter } from '../unsupported-parameter.ts'
import { ToolInputs } from './tool-inputs.ts'

/** Converts Anthropic's messages to chat messages. What chat completions cannot say is `unsupported_parameter`. */
export async function convertMessages(messages: unknown): Promise<ChatMessage[]> {
  const inputs = new ToolInputs()
  const converted = convertAll(messages, inputs)
  await inputs.write()
  return converted
}

function convertAll(messages: unknown, inputs: ToolInputs): ChatMessage[] {
  if (!Array.isArray(messages) || messages.length === 0) {
    throw invalidRequest("'messages' must be a non-empty list of messages.", 'messages')
  }
  return messages.flatMap((message: unknown, index) => {
    const param = `messages[${index}]`
    if (!isObject(message)) throw invalidRequest(`'${param}' must be an object.`, param)
    const { role, content } = message
    if (role === 'assistant') return [convertAssistant(blocksOf(content, param), inputs, param)]
    if (role === 'user') return convertUser(blocksOf(content, param), param)
    if (role === 'system') return [{ role, content: convertInstructions(content, `${param}.content`) }]
    throw invalidRequest(`'${param}.role' must be 'user' or 'assistant'.`, `${param}.role`)
  })
}

/** The content of a system prompt or of a system message. */
export function convertInstructions(content: unknown, param: string): string | ContentPart[] {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) throw invalidRequest(`'${param}' must be text or a list of blocks.`, param)
  return joinTexts(
    content.map((block: unknown, index) => {
      if (!isObject(block) || block.type !== 'text')
        throw unsupportedParameter('blocks other than text', `${param}[${index}]`)
      return convertText(block, `${param}[${index}]`)
    }),
  )
}

function convertText(block: Fields, param: string): ContentPart {
  return withCacheControl({ type: 'text', text: textOf(block, 'text', param) }, block)
}

/** One text, unless a cached prompt ends in it: that is said by a part. */
function joinTexts(parts: ContentPart[]): string | ContentPart[] {
  return parts.some(isCached) ? parts : parts.map(({ text }) => text ?? '').join('\n\n')
}

/** Adds the end of a cached prompt, which chat completions have in Anthropic's words; an empty text cannot be one. */
function withCacheControl<Value extends object>(value: Value, { cache_control }: Cached): Value {
  const isEmpty = 'text' in value && value.text === ''
  return isObject(cache_control) && !isEmpty ? { ...value, cache_control } : value
}

interface Cached {
  readonly cache_control?: unknown
}

function isCached({ cache_control }: Cached): boolean {
  return isObject(cache_control)
}

function blocksOf(content: unknown, param: string): Fields[] {
  if (typeof content === 'string') return [{ type: 'text', text: content }]
  if (Array.isArray(content) && content.every(isObject)) return content
  throw invalidRequest(`'${param}.content' must be text or a list of blocks.`, `${param}.content`)
}

/** Results of tools are messages of their own, before what the user says; images in them become the user's. */
function convertUser(blocks: readonly Fields[], param: string): ChatMessage[] {
  const results: ChatMessage[] = []
  const parts: ContentPart[] = []
  blocks.forEach((block, index) => {
    const at = `${param}.content[${index}]`
    if (block.type !== 'tool_result') parts.push(...convertBlock(block, at))
    else {
      const { message, files } = convertResult(block, at)
      results.push(message)
      parts.push(...files)
    }
  })
  if (parts.length === 0) return results
  const [only] = parts
  const isText = parts.length === 1 && only?.type === 'text' && !isCached(only)
  const content = isText ? (only.text ?? '') : parts
  return [...results, { role: 'user', content }]
}

function convertResult(block: Fields, param: string): { message: ChatMessage; files: ContentPart[] } {
  const { content = '' } = block
  const parts = blocksOf(content, param).flatMap((one, index) => convertBlock(one, `${param}.content[${index}]`))
  const texts = parts.filter(({ type }) => type === 'text')
  const text = texts.map((part) => part.text ?? '').join('\n')
  const cached = [block, ...texts].find(isCached) ?? {}
  const said: ContentPart = { type: 'text', text: block.is_error === true ? `Error: ${text}` : text }
  const message: ChatMessage = {
    role: 'tool',
    tool_call_id: textOf(block, 'tool_use_id', param),
    content: joinTexts([withCacheControl(said, cached)]),
  }
  return { message, files: parts.filter(({ type }) => type !== 'text') }
}

/** A cached prompt that ends with the block ends with its last part. */
function convertBlock(block: Fields, param: string): ContentPart[] {
  const parts = convertContent(block, param)
  const last = parts.at(-1)
  return last === undefined ? parts : parts.with(-1, withCacheControl(last, block))
}

function convertContent(block: Fields, param: string): ContentPart[] {
  if (block.type === 'text') return [{ type: 'text', text: textOf(block, 'text', param) }]
  const source = isObject(block.source) ? block.source : {}
  if (block.type === 'image') return [{ type: 'image_url', image_url: { url: urlOfSource(source, `${param}.source`) } }]
  if (block.type !== 'document') throw unsupportedParameter(`blocks of the type '${block.type}'`, param)
  return convertDocument(block, source, param)
}

/** What Anthropic says about a document beside it is a text before it. */
function convertDocument({ title, context }: Fields, source: Fields, param: string): ContentPart[] {
  const about = (...texts: unknown[]): ContentPart[] =>
    texts.filter((text) => typeof text === 'string' && text !== '').map((text) => ({ type: 'text', text: `${text}` }))
  if (source.type === 'text') {
    return [...about(title, context), { type: 'text', text: textOf(source, 'data', `${param}.source`) }]
  }
  if (source.type === 'content') {
    const blocks = blocksOf(source.content, `${param}.source`)
    return [...about(title, context), ...blocks.flatMap((one) => convertBlock(one, `${param}.source`))]
  }
  if (source.type !== 'base64') throw unsupportedParameter('documents by an address or id', `${param}.source`)
  const filename = typeof title === 'string' ? title : 'document'
  return [...about(context), { type: 'file', file: { filename, file_data: urlOfSource(source, `${param}.source`) } }]
}

function urlOfSource(source: Fields, param: string): string {
  if (source.type === 'url') return textOf(source, 'url', param)
  if (source.type !== 'base64') throw unsupportedParameter(`a source of the type '${source.type}'`, param)
  return `data:${textOf(source, 'media_type', param)};base64,${textOf(source, 'data', param)}`
}

interface Said {
  readonly texts: ContentPart[]
  readonly thoughts: string[]
  /** Signed and redacted thoughts, for the provider that can read them. */
  readonly details: ReasoningDetail[]
  readonly calls: object[]
}

function convertAssistant(blocks: readonly Fields[], inputs: ToolInputs, param: string): ChatMessage {
  const said: Said = { texts: [], thoughts: [], details: [], calls: [] }
  blocks.forEach((block, index) => {
    addBlock(said, block, inputs, `${param}.content[${index}]`)
  })
  const { texts, thoughts, details, calls } = said
  return {
    role: 'assistant',
    content: texts.length === 0 ? null : joinTexts(texts),
    ...(thoughts.length === 0 ? {} : { reasoning_content: thoughts.join('\n\n') }),
    ...(details.length === 0 ? {} : { reasoning_details: details }),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
  }
}

function addBlock({ texts, thoughts, details, calls }: Said, block: Fields, inputs: ToolInputs, at: string): void {
  switch (block.type) {
    case 'text':
      texts.push(convertText(block, at))
      break
    case 'thinking': {
      const { signature } = block
      const text = textOf(block, 'thinking', at)
      if (text !== '') thoughts.push(text)
      const isSigned = typeof signature === 'string' && signature !== ''
      if (isSigned) details.push({ type: 'reasoning.text', text, signature })
      break
    }
    case 'redacted_thinking':
      details.push({ type: 'reasoning.encrypted', data: textOf(block, 'data', at) })
      break
    case 'tool_use': {
      const definition = inputs.define(textOf(block, 'name', at), block.input ?? {})
      calls.push(withCacheControl({ id: textOf(block, 'id', at), type: 'function', function: definition }, block))
      break
    }
    default:
      throw unsupportedParameter(`blocks of the type '${block.type}'`, at)
  }
}

function textOf(block: Fields, field: string, param: string): string {
  const value = block[field]
  if (typeof value === 'string') return value
  throw invalidRequest(`'${param}.${field}' must be text.`, `${param}.${field}`)
}
