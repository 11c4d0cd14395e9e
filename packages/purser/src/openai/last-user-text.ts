import type { ChatMessage } from './chat.ts'

/** The text of the last message of the user; undefined without one. */
export function lastUserText(messages: readonly ChatMessage[]): string | undefined {
  const content = messages.findLast(({ role }) => role === 'user')?.content
  if (typeof content === 'string') return content
  return content
    ?.flatMap((part) => (part.type === 'text' && typeof part.text === 'string' ? [part.text] : []))
    .join('\n')
}
