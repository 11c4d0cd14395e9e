import { isObject } from '../core/validate.ts'
import type { ToolCallPiece } from './tool-call-index.ts'

type Fields = Record<string, unknown>

/**
 * Gives the fields of a delta or a message the types that OpenAI documents, in the object itself; a field with nothing
 * usable is removed. Tool calls become a list of pieces. Returns whether anything changed.
 */
export function normalizeMessage(message: Fields): boolean {
  let isChanged = false
  const { role } = message
  if (role !== undefined && role !== null && (typeof role !== 'string' || role === '')) {
    delete message.role
    isChanged = true
  }
  isChanged = normalizeContent(message) || isChanged
  return normalizeCalls(message) || isChanged
}

/** Text in parts, as some providers send it, becomes one text; a list with other parts, such as images, stays a list. */
function normalizeContent(message: Fields): boolean {
  const { content } = message
  if (content === undefined || content === null || typeof content === 'string') return false
  const parts = Array.isArray(content) ? content : [content]
  if (parts.some((part) => isObject(part) && textOfPart(part) === undefined && part.type !== 'thinking')) {
    message.content = parts
    return parts !== content
  }
  message.content = textOfContent(parts)
  const reasoning = parts.map(thinkingOfPart).join('')
  if (reasoning !== '') message.reasoning_content ??= reasoning
  return true
}

/** The text of content in any form; parts that are no text are left out. */
export function textOfContent(content: unknown): string {
  if (typeof content === 'string') return content
  return Array.isArray(content) ? content.map((part) => textOfPart(part) ?? '').join('') : ''
}

function textOfPart(part: unknown): string | undefined {
  if (typeof part === 'string') return part
  if (typeof part === 'number') return String(part)
  if (!isObject(part) || typeof part.text !== 'string') return undefined
  return part.type === undefined || part.type === 'text' || part.type === 'output_text' ? part.text : undefined
}

/** Mistral's models put their reasoning into the content, as a text or as a list of parts. */
function thinkingOfPart(part: unknown): string {
  return isObject(part) && part.type === 'thinking' ? textOfContent(part.thinking) : ''
}

function normalizeCalls(message: Fields): boolean {
  let isChanged = false
  if (message.function_call !== undefined && message.function_call !== null && !isObject(message.function_call)) {
    delete message.function_call
    isChanged = true
  }
  const calls = message.tool_calls
  if (calls === undefined || calls === null) return isChanged
  const list = Array.isArray(calls) ? calls : [calls]
  const pieces = list.filter(isObject)
  if (list !== calls || pieces.length !== list.length) {
    message.tool_calls = pieces
    isChanged = true
  }
  for (const piece of pieces) isChanged = normalizePiece(piece) || isChanged
  return isChanged
}

function normalizePiece(piece: Fields): boolean {
  let isChanged = dropUnless(piece, 'id', isNonEmptyText)
  const index = indexOf(piece.index)
  if (index !== piece.index) {
    isChanged = true
    if (index === undefined) delete piece.index
    else piece.index = index
  }
  isChanged = dropUnless(piece, 'function', isObject) || isChanged
  const definition = piece.function as Fields | undefined
  if (definition === undefined) return isChanged
  isChanged = dropUnless(definition, 'name', isNonEmptyText) || isChanged
  const { arguments: input } = definition
  if (input === undefined || typeof input === 'string') return isChanged
  // Ollama and others send the parsed arguments.
  if (input === null) delete definition.arguments
  else definition.arguments = JSON.stringify(input)
  return true
}

/** An index, also as text; undefined if it is none. */
export function indexOf(value: unknown): number | undefined {
  const index = typeof value === 'string' && value !== '' ? Number(value) : value
  return Number.isSafeInteger(index) && (index as number) >= 0 ? (index as number) : undefined
}

function dropUnless(fields: Fields, name: string, isValid: (value: unknown) => boolean): boolean {
  if (fields[name] === undefined || isValid(fields[name])) return false
  delete fields[name]
  return true
}

function isNonEmptyText(value: unknown): boolean {
  return typeof value === 'string' && value !== ''
}

/** The pieces of tool calls of a normalized message. */
export function callsOf({ tool_calls: calls }: Fields): ToolCallPiece[] {
  return Array.isArray(calls) ? (calls as ToolCallPiece[]) : []
}
