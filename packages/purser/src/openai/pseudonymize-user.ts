import type { ChatRequest } from './chat.ts'

export type UserField = 'safety_identifier' | 'user' | 'none'

export interface Pseudonym {
  /** Where the provider expects it. */
  readonly field: UserField
  /** The keyed hash that stands for the user upstream. */
  readonly id: string
}

/**
 * Takes every field out that names the user, and puts the pseudonym where the provider wants it. Of `metadata` only
 * `user_id` goes; metadata that held nothing else goes with it. The request given is not changed.
 */
export function pseudonymizeUser(request: ChatRequest, pseudonym: Pseudonym): ChatRequest {
  const { user: _user, safety_identifier: _identifier, metadata, ...rest } = request
  const clean: ChatRequest = rest
  if (metadata !== undefined && metadata !== null) {
    const { user_id, ...others } = metadata
    if (user_id === undefined || Object.keys(others).length > 0) clean.metadata = others
  } else if (metadata === null) clean.metadata = null
  if (pseudonym.field !== 'none') clean[pseudonym.field] = pseudonym.id
  return clean
}
