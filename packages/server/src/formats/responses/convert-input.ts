import { type ChatMessage, type ContentPart, isObject, type ReasoningDetail } from 'purser/internal'
import type { Fields } from '../request-body.ts'
import { invalidRequest, unsupportedParameter } from '../unsupported-parameter.ts'
import { convertContent, textOf } from './convert-content.ts'
import { nameInNamespace } from './convert-tools.ts'
import { unsealReasoning } from './sealed-reasoning.ts'

/**
 * Converts the input of a response to chat messages. Reasoning, a message and tool calls that follow one another are one
 * message of the assistant, and so is all that the assistant says until the outputs of its calls, which chat completions
 * expect directly behind them. What chat completions cannot say is `unsupported_parameter`.
 */
export function convertInput(input: unknown): ChatMessage[] {
  if (typeof input === 'string') return [{ role: 'user', content: input }]
  if (!Array.isArray(input) || input.length === 0) {
    throw invalidRequest("'input' must be text or a non-empty list of items.", 'input')
  }
  const chat = new ChatInput()
  input.forEach((item: unknown, index) => {
    const param = `input[${index}]`
    if (!isObject(item)) throw invalidRequest(`'${param}' must be an object.`, param)
    addItem(chat, item, param)
  })
  return chat.end()
}

interface AssistantMessage extends ChatMessage {
  tool_calls?: object[]
  reasoning_details?: object[]
}

/** The messages so far. */
class ChatInput {
  readonly #messages: ChatMessage[] = []
  /** The assistant's message that may go on. */
  #assistant: AssistantMessage | undefined
  /** From outputs of tools; chat completions know them from users only, behind all outputs. */
  #files: ContentPart[] = []

  add(message: ChatMessage): void {
    this.#addFiles()
    this.#assistant = undefined
    this.#messages.push(message)
  }

  addOutput(message: ChatMessage, files: readonly ContentPart[]): void {
    this.#assistant = undefined
    this.#messages.push(message)
    for (const file of files) this.#files.push(file)
  }

  addText(content: string | ContentPart[]): void {
    const message = this.#open(['content'])
    message.content = (message.content ?? null) === null ? content : [...toParts(message.content), ...toParts(content)]
  }

  addReasoning(text: string, detail: ReasoningDetail | undefined): void {
    const message = this.#open(['content'])
    if (text !== '') message.reasoning_content = `${message.reasoning_content ?? ''}${text}`
    if (detail === undefined) return
    message.reasoning_details ??= []
    message.reasoning_details.push(detail)
  }

  addCall(call: object): void {
    const message = this.#open([])
    message.tool_calls ??= []
    message.tool_calls.push(call)
  }

  end(): ChatMessage[] {
    this.#addFiles()
    return this.#messages
  }

  /** The open message, if it has a call or none of these fields yet; otherwise a new one. */
  #open(fields: readonly (keyof ChatMessage)[]): AssistantMessage {
    const open = this.#assistant
    const isFree = open !== undefined && fields.every((field) => (open[field] ?? null) === null)
    if (isFree || open?.tool_calls !== undefined) return open
    const message: AssistantMessage = { role: 'assistant', content: null }
    this.add(message)
    this.#assistant = message
    return message
  }

  #addFiles(): void {
    if (this.#files.length === 0) return
    this.#messages.push({ role: 'user', content: this.#files })
    this.#files = []
  }
}

function toParts(content: ChatMessage['content']): readonly ContentPart[] {
  return typeof content === 'string' ? [{ type: 'text', text: content }] : (content ?? [])
}

function addItem(chat: ChatInput, item: Fields, param: string): void {
  const { type = 'message' } = item
  const add = typeof type === 'string' && Object.hasOwn(ITEMS, type) ? ITEMS[type] : undefined
  if (add === undefined) throw unsupportedParameter(`input items of the type '${type}'`, param)
  add(chat, item, param)
}

const ITEMS: Readonly<Record<string, typeof addItem>> = {
  message: addMessage,
  reasoning(chat, item) {
    const text = textOfReasoning(item)
    const detail = unsealReasoning(item.encrypted_content, text)
    if (text !== '' || detail !== undefined) chat.addReasoning(text, detail)
  },
  function_call(chat, item, param) {
    const name = nameInNamespace(item.namespace, textOf(item, 'name', param))
    const definition = { name, arguments: textOf(item, 'arguments', param) }
    chat.addCall({ id: textOf(item, 'call_id', param), type: 'function', function: definition })
  },
  custom_tool_call(chat, item, param) {
    const name = nameInNamespace(item.namespace, textOf(item, 'name', param))
    const definition = { name, input: textOf(item, 'input', param) }
    chat.addCall({ id: textOf(item, 'call_id', param), type: 'custom', custom: definition })
  },
  function_call_output: addToolOutput,
  custom_tool_call_output: addToolOutput,
}

const ROLES: readonly unknown[] = ['system', 'developer', 'user']

function addMessage(chat: ChatInput, { role, content }: Fields, param: string): void {
  const converted = convertContent(content, `${param}.content`)
  if (role === 'assistant') chat.addText(converted)
  else if (ROLES.includes(role)) chat.add({ role: role as ChatMessage['role'], content: converted })
  else throw invalidRequest(`'${param}.role' must be 'user', 'assistant', 'system' or 'developer'.`, `${param}.role`)
}

/** Texts are the output of the tool. */
function addToolOutput(chat: ChatInput, item: Fields, param: string): void {
  const parts = toParts(convertContent(item.output, `${param}.output`))
  const texts = parts.filter(({ type }) => type === 'text')
  const files = parts.filter(({ type }) => type !== 'text')
  const hasBreakpoint = texts.some((part) => part.prompt_cache_breakpoint !== undefined)
  const content = hasBreakpoint ? texts : texts.map((part) => part.text ?? '').join('\n')
  chat.addOutput({ role: 'tool', tool_call_id: textOf(item, 'call_id', param), content }, files)
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
