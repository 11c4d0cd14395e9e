import { isObject, type StoredResponse } from 'purser/internal'
import type { Fields } from '../request-body.ts'
import { invalidRequest } from '../unsupported-parameter.ts'

/** What a response belongs to: the responses before it, and whether it is kept for those behind it. */
export interface Conversation {
  /** The request with the items that it refers to, and without the references. */
  readonly body: Fields
  /** The items of `body.input` that come from kept responses. */
  readonly recalled: ReadonlySet<unknown>
  /** The id of the response; undefined: that of the provider, or any. */
  readonly id: string | undefined
  readonly previousId: string | null
  /** Keeps the complete response. Resolves to whether it was kept. Absent: it is not to be kept. */
  readonly keep?: ((response: Fields, turn: { readonly incarnation: number }) => Promise<boolean>) | undefined
}

/** The items of an input, which may be a text. */
export function itemsOf(input: unknown): readonly unknown[] {
  if (input === undefined || input === null) return []
  if (typeof input === 'string') return [{ type: 'message', role: 'user', content: input }]
  if (Array.isArray(input)) return input
  throw invalidRequest("'input' must be text or a list of items.", 'input')
}

/** Everything that a kept response was about, as the beginning of the next input. */
export function historyOf({ input, response }: StoredResponse): readonly unknown[] {
  return [...input, ...(Array.isArray(response.output) ? response.output : [])]
}

/** The id of the item that an item stands for; undefined for an item that is itself. */
export function referenceOf(item: unknown): string | undefined {
  return isObject(item) && item.type === 'item_reference' && typeof item.id === 'string' ? item.id : undefined
}

/**
 * An input as a provider takes it that has stored nothing: recalled items are without the ids under which it would look
 * for them, and thoughts that only a stored response would have are left out.
 */
export function toStatelessInput(input: unknown, recalled: ReadonlySet<unknown>): unknown {
  if (recalled.size === 0 || !Array.isArray(input)) return input
  return input.flatMap((item: unknown) => {
    if (!recalled.has(item) || !isObject(item)) return [item]
    if (item.type === 'reasoning') return typeof item.encrypted_content === 'string' ? [item] : []
    const { id: _id, ...rest } = item
    return [rest]
  })
}
