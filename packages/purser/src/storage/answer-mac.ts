import { lengthPrefixed } from '../core/aes-gcm.ts'
import { createMac } from '../core/hmac.ts'
import type { NewAnswer } from './answer-store.ts'

/** The MAC of a row: covers all of its fields and the namespace. */
export type AnswerMac = (namespace: string, row: NewAnswer) => string

/**
 * A stored row is intact if its MAC is that of its fields: it was written in this scope under this key, and is complete
 * and unchanged. The driver makes the MAC when it writes a row; the answers module compares it when it reads one.
 */
export function createAnswerMac(key: Uint8Array): AnswerMac {
  const mac = createMac(key)
  return (namespace, { owner, key, generation, storedAt, expiresAt, bytes, value }) =>
    mac(
      lengthPrefixed(['row', namespace, owner, key, generation, storedAt, String(expiresAt), bytes, value]),
      'base64url',
    )
}
