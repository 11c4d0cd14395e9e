import type { ChatMessage, ChatRequest } from './chat.ts'

/**
 * Appends the user's context to the last of the leading system or developer messages; without one, a system message is
 * added. So the application's own text stays a prefix that is the same for all users, which providers can cache.
 *
 * @returns a copy of the request; the request itself if `text` is empty
 */
export function injectContext(request: ChatRequest, text: string): ChatRequest {
  if (text === '') return request
  const { messages } = request
  let leading = 0
  while (leading < messages.length && isInstruction(messages[leading])) leading++
  const last = leading - 1
  const message = messages[last]
  if (message === undefined) return { ...request, messages: [{ role: 'system', content: text }, ...messages] }
  return { ...request, messages: messages.with(last, appendText(message, text)) }
}

function isInstruction(message: ChatMessage | undefined): boolean {
  return message?.role === 'system' || message?.role === 'developer'
}

function appendText(message: ChatMessage, text: string): ChatMessage {
  const { content } = message
  if (Array.isArray(content)) return { ...message, content: [...content, { type: 'text', text }] }
  return { ...message, content: typeof content === 'string' && content !== '' ? `${content}\n\n${text}` : text }
}
