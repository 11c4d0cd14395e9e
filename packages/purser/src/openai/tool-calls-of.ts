import { isObject } from '../core/validate.ts'

/** A tool call of a message, or a piece of one in a delta. */
export interface ToolCallPart {
  readonly index?: number
  readonly id?: string
  readonly type?: string
  readonly function?: { readonly name?: string; readonly arguments?: string }
  readonly custom?: { readonly name?: string; readonly input?: string }
  readonly extra_content?: unknown
}

/**
 * The tool calls of a message or a delta. Some providers still answer with the older `function_call`, which is a single
 * call without an id.
 *
 * @param id that of such a call
 */
export function toolCallsOf(
  { tool_calls: calls, function_call: called }: Readonly<Record<string, unknown>>,
  id: string,
): readonly ToolCallPart[] {
  if (Array.isArray(calls) && calls.length > 0) return calls
  return isObject(called) ? [{ index: 0, id, type: 'function', function: called }] : NONE
}

const NONE: readonly ToolCallPart[] = []
