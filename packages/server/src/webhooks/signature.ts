import { createHmac, randomBytes } from 'node:crypto'

/*
 * Signatures in the format of Standard Webhooks 1.0.0, version 1: HMAC-SHA-256 over id, time and body. Three lines of
 * `node:crypto`, so no package is used to sign; the tests verify with the official one.
 */

const PREFIX = 'whsec_'
const SECRET_BYTES = 32

/** A new secret, as receivers configure it. */
export function createSecret(): string {
  return `${PREFIX}${randomBytes(SECRET_BYTES).toString('base64')}`
}

export interface SignedMessage {
  /** The same for every attempt: receivers recognize repeats by it. */
  readonly id: string
  /** Of this attempt, epoch ms. */
  readonly at: number
  readonly body: string
}

/** The headers of one attempt. */
export function signatureHeaders(secret: string, { id, at, body }: SignedMessage): Readonly<Record<string, string>> {
  const timestamp = String(Math.floor(at / 1_000))
  const key = Buffer.from(secret.slice(PREFIX.length), 'base64')
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` }
}
