import { isObject } from '../core/validate.ts'
import type { ChatMessage, ChatRequest } from './chat.ts'

/**
 * Appends the user's context to the last of the leading system or developer messages; without one, a system message is
 * added. So the application's own text stays a prefix that is the same for all users, which providers can cache. If the
 * client names a later end of the cached prompt (`cache_control`), the context follows that, as a text of the user.
 *
 * @returns a copy of the request; the request itself if `text` is empty
 */
export function injectContext(request: ChatRequest, text: string): ChatRequest {
  if (text === '') return request
  const { messages } = request
  const cached = messages.findLastIndex(isCached)
  if (cached !== -1 && !isInstruction(messages[cached]))
    return { ...request, messages: insertBehind(messages, cached, text) }
  let leading = 0
  while (leading < messages.length && isInstruction(messages[leading])) leading++
  const last = leading - 1
  const message = messages[last]
  if (message === undefined) return { ...request, messages: [{ role: 'system', content: text }, ...messages] }
  return { ...request, messages: messages.with(last, appendText(message, text)) }
}

function isCached({ content }: ChatMessage): boolean {
  return Array.isArray(content) && content.some((part) => isObject(part.cache_control))
}

/** At the end of the user's next message, or as one of its own behind results of tools, which must stay together. */
function insertBehind(messages: ChatMessage[], cached: number, text: string): ChatMessage[] {
  let index = cached
  if (messages[index]?.role === 'assistant') index++
  while (messages[index]?.role === 'tool') index++
  const message = messages[index]
  if (message?.role !== 'user') return messages.toSpliced(index, 0, { role: 'user', content: text })
  const { content } = message
  const parts = Array.isArray(content) ? content : [{ type: 'text', text: content ?? '' }]
  return messages.with(index, { ...message, content: [...parts, { type: 'text', text }] })
}

function isInstruction(message: ChatMessage | undefined): boolean {
  return message?.role === 'system' || message?.role === 'developer'
}

function appendText(message: ChatMessage, text: string): ChatMessage {
  const { content } = message
  if (Array.isArray(content)) return { ...message, content: [...content, { type: 'text', text }] }
  return { ...message, content: typeof content === 'string' && content !== '' ? `${content}\n\n${text}` : text }
}
