import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

/**
 * AES-256-GCM with a random nonce. `context` is the associated data: it is authenticated, not stored.
 *
 * @returns nonce, ciphertext and authentication tag, in base64url
 */
export function encrypt(plain: Buffer, key: Buffer, context: readonly string[]): string {
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(lengthPrefixed(context)))
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]).toString('base64url')
}

/** Throws if the key or the context differs from that of `encrypt`, or if the text was changed. */
export function decrypt(sealed: string, key: Buffer, context: readonly string[]): Buffer {
  const bytes = Buffer.from(sealed, 'base64url')
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12), { authTagLength: 16 })
    .setAAD(Buffer.from(lengthPrefixed(context)))
    .setAuthTag(bytes.subarray(-16))
  return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()])
}

/** An injective encoding: each part is preceded by its length, so `["ab","c"]` and `["a","bc"]` give different texts. */
export function lengthPrefixed(parts: readonly (string | number)[]): string {
  let text = ''
  for (const part of parts) {
    const value = String(part)
    text += `${value.length}:${value}`
  }
  return text
}
