import { isObject } from '../core/validate.ts'
import type { ChatCompletion } from './chat.ts'
import { callsOf, indexOf, normalizeMessage } from './normalize-message.ts'

type Fields = Record<string, unknown>

/**
 * Gives a completion the form that OpenAI documents, in the object itself: `choices` is a list of objects, each with an
 * index and a message with a role and content; tool calls have ids; `usage` is beside `choices`. Other fields are
 * unchanged.
 *
 * @returns the same object, and whether it was changed; undefined without a choice
 */
export function normalizeCompletion(
  value: Fields,
  createId: () => string,
): { readonly completion: ChatCompletion; readonly isChanged: boolean } | undefined {
  const { choices } = value
  const list = Array.isArray(choices) ? choices : [choices]
  const objects = list.filter(isObject)
  if (objects.length === 0) return undefined
  let isChanged = list !== choices || objects.length !== list.length
  if (isChanged) value.choices = objects
  if (value.object === 'chat.completion.chunk') {
    value.object = 'chat.completion'
    isChanged = true
  }
  if (value.usage !== undefined && value.usage !== null && !isObject(value.usage)) {
    delete value.usage
    isChanged = true
  }
  for (const [position, choice] of objects.entries()) {
    isChanged = normalizeChoice(choice, position, value) || isChanged
    isChanged = normalizeCalls(choice.message as Fields, createId) || isChanged
  }
  return { completion: value as unknown as ChatCompletion, isChanged }
}

function normalizeChoice(choice: Fields, position: number, completion: Fields): boolean {
  let isChanged = false
  const set = (fields: Fields, name: string, value: unknown): void => {
    fields[name] = value
    isChanged = true
  }
  const index = indexOf(choice.index) ?? position
  if (choice.index !== index) set(choice, 'index', index)
  const reason = choice.finish_reason
  if (reason !== null && (typeof reason !== 'string' || reason === '')) set(choice, 'finish_reason', null)
  if (isObject(choice.usage) && !isObject(completion.usage)) {
    set(completion, 'usage', choice.usage)
    delete choice.usage
  }
  const message = messageOf(choice)
  if (message !== choice.message) {
    set(choice, 'message', message)
    delete choice.delta
  }
  isChanged = normalizeMessage(message) || isChanged
  if (message.content === undefined) set(message, 'content', null)
  if (typeof message.role !== 'string') set(message, 'role', 'assistant')
  return isChanged
}

/** Servers exist that answer a request without streaming with one chunk. */
function messageOf({ message, delta }: Fields): Fields {
  if (isObject(message)) return message
  if (typeof message === 'string') return { content: message }
  return isObject(delta) ? delta : {}
}

function normalizeCalls(message: Fields, createId: () => string): boolean {
  let isChanged = false
  for (const call of callsOf(message)) {
    if (call.id === undefined) {
      call.id = `call_${createId()}`
      isChanged = true
    }
    if (call.function?.arguments === undefined) {
      call.function = { ...call.function, arguments: '' }
      isChanged = true
    }
  }
  return isChanged
}
