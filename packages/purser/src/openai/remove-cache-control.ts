import { isObject } from '../core/validate.ts'
import type { ChatMessage, ChatRequest, ContentPart } from './chat.ts'

/**
 * Removes the ends of cached prompts (`cache_control`), which most providers of OpenAI's format refuse. Texts that are
 * parts only because of them become one text again. Returns the request itself if there is none.
 */
export function removeCacheControl(request: ChatRequest): ChatRequest {
  const { cache_control, tools, messages, ...others } = request
  const next: ChatRequest = { ...others, messages: removeFromAll(messages, removeFromMessage) }
  if (tools !== undefined) next.tools = Array.isArray(tools) ? removeFromAll(tools, removeFrom) : tools
  const isSame = cache_control === undefined && next.messages === messages && next.tools === tools
  return isSame ? request : next
}

/** The list itself if no value changes. */
function removeFromAll<Value>(values: Value[], remove: (value: Value) => Value): Value[] {
  const next = values.map(remove)
  return next.some((value, index) => value !== values[index]) ? next : values
}

function removeFrom<Value>(value: Value): Value {
  if (!isObject(value) || value.cache_control === undefined) return value
  const { cache_control: _, ...others } = value
  return others as Value
}

function removeFromMessage(message: ChatMessage): ChatMessage {
  const { content, tool_calls: calls } = message
  const parts = Array.isArray(content) ? removeFromAll(content, removeFrom) : content
  const nextCalls = Array.isArray(calls) ? removeFromAll(calls, removeFrom) : calls
  if (parts === content && nextCalls === calls) return message
  const next = { ...message, content: parts !== content && Array.isArray(parts) ? joinTexts(message, parts) : parts }
  return nextCalls === calls ? next : { ...next, tool_calls: nextCalls }
}

/** Several texts of a user stay apart. */
function joinTexts({ role }: ChatMessage, parts: ContentPart[]): string | ContentPart[] {
  const isText = parts.every(({ type }) => type === 'text') && (role !== 'user' || parts.length === 1)
  return isText ? parts.map(({ text }) => text ?? '').join('\n\n') : parts
}
