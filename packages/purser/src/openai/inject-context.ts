import type { ChatMessage, ChatRequest } from './chat.ts'

/**
 * Adds text about the user to the last of the leading system or developer messages; without one, a system message is
 * made. So the application's own words stay a prefix that is the same for all users, which providers cache.
 * The request given is not changed; empty text changes nothing.
 */
export function injectContext(request: ChatRequest, text: string): ChatRequest {
  if (text === '') return request
  const { messages } = request
  let leading = 0
  while (leading < messages.length && isInstruction(messages[leading])) leading++
  const place = leading - 1
  const host = messages[place]
  if (host === undefined) return { ...request, messages: [{ role: 'system', content: text }, ...messages] }
  return { ...request, messages: messages.with(place, appended(host, text)) }
}

function isInstruction(message: ChatMessage | undefined): boolean {
  return message?.role === 'system' || message?.role === 'developer'
}

function appended(message: ChatMessage, text: string): ChatMessage {
  const { content } = message
  if (Array.isArray(content)) return { ...message, content: [...content, { type: 'text', text }] }
  return { ...message, content: typeof content === 'string' && content !== '' ? `${content}\n\n${text}` : text }
}
