import type { ChatRequest } from './chat.ts'

export type UserField = 'safety_identifier' | 'user' | 'none'

export interface Pseudonym {
  /** The field in which the provider expects it. */
  readonly field: UserField
  /** The keyed hash that replaces the user id upstream. */
  readonly id: string
}

/**
 * Removes all fields that identify the user, and sets the field that the provider expects to the pseudonym. Of `metadata`
 * only `user_id` is removed; metadata that contained nothing else is removed as a whole.
 *
 * @returns a copy of the request
 */
export function pseudonymizeUser(request: ChatRequest, pseudonym: Pseudonym): ChatRequest {
  const { user: _user, safety_identifier: _identifier, metadata, ...rest } = request
  const pseudonymized: ChatRequest = rest
  if (metadata !== undefined && metadata !== null) {
    const { user_id, ...others } = metadata
    if (user_id === undefined || Object.keys(others).length > 0) pseudonymized.metadata = others
  } else if (metadata === null) pseudonymized.metadata = null
  if (pseudonym.field !== 'none') pseudonymized[pseudonym.field] = pseudonym.id
  return pseudonymized
}
