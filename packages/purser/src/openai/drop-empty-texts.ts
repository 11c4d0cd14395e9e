import type { ChatMessage, ChatRequest } from './chat.ts'

/**
 * Removes texts without a character from lists of parts, which some providers refuse; a list keeps one part at least.
 * Returns the request itself if there is none.
 */
export function dropEmptyTexts(request: ChatRequest): ChatRequest {
  if (!request.messages.some(hasEmptyText)) return request
  return {
    ...request,
    messages: request.messages.map((message) => (hasEmptyText(message) ? dropFrom(message) : message)),
  }
}

function hasEmptyText({ content }: ChatMessage): boolean {
  return Array.isArray(content) && content.length > 1 && content.some(isEmptyText)
}

function isEmptyText(part: { readonly type: string; readonly text?: string | undefined }): boolean {
  return part.type === 'text' && (part.text ?? '') === ''
}

function dropFrom(message: ChatMessage): ChatMessage {
  const parts = Array.isArray(message.content) ? message.content : []
  const filled = parts.filter((part) => !isEmptyText(part))
  return { ...message, content: filled.length > 0 ? filled : parts.slice(0, 1) }
}
