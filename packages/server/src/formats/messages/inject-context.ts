import { isObject } from 'purser/internal'
import type { Fields } from '../request-body.ts'

/**
 * Adds the user's context behind the last block that the client asks the provider to cache, so that everything up to
 * there is the same for all users: at the end of the system prompt, or, if a message is cached, at the end of the first
 * message of the user from there on.
 */
export function injectContext(body: Fields, text: string): Fields {
  if (text === '') return body
  const messages = Array.isArray(body.messages) ? (body.messages as unknown[]) : []
  const cached = messages.findLastIndex(isCached)
  const target = cached === -1 ? -1 : messages.findIndex((message, index) => index >= cached && isUser(message))
  if (target === -1) return { ...body, system: appendText(body.system, text) }
  const message = messages[target] as Fields
  return { ...body, messages: messages.with(target, { ...message, content: appendText(message.content, text) }) }
}

function appendText(content: unknown, text: string): object[] {
  const block = { type: 'text', text }
  if (typeof content === 'string') return content === '' ? [block] : [{ type: 'text', text: content }, block]
  return Array.isArray(content) ? [...content, block] : [block]
}

function isUser(message: unknown): boolean {
  return isObject(message) && message.role === 'user'
}

function isCached(message: unknown): boolean {
  if (!isObject(message) || !Array.isArray(message.content)) return false
  return message.content.some((block: unknown) => isObject(block) && isObject(block.cache_control))
}
