import { createHash, hkdfSync, randomBytes } from 'node:crypto'
import { decrypt, encrypt } from '../core/aes-gcm.ts'
import { createKeyring, type Keyring } from '../core/keyring.ts'
import { PurserError } from '../errors.ts'
import type { MetaStore } from './store.ts'

export interface SecretKeys {
  /** 32 bytes, base64. */
  readonly current: string
  /** Earlier secret keys; the stored root key may still be wrapped by one of them. */
  readonly previous: readonly string[]
}

/** Name of the meta row with the wrapped root key. */
export const ROOT = 'root-key'

/**
 * Unwraps the root key of the store, or creates one in a new store. Wraps it again when the secret key has changed.
 *
 * @throws {PurserError} `option_invalid` for a key that is not 32 bytes, `secret_key_wrong` when no key unwraps it.
 */
export async function openKeyring(meta: MetaStore, secret: SecretKeys): Promise<Keyring> {
  const current = secretBytes(secret.current)
  const previous = secret.previous.map(secretBytes)
  for (;;) {
    const stored = await meta.get(ROOT)
    if (stored === undefined) {
      const root = randomBytes(32)
      if (await meta.compareAndSet(ROOT, undefined, wrapRoot(root, current))) return createKeyring(root)
      continue
    }
    const keyId = stored.slice(0, stored.indexOf(':'))
    const wrapper = [current, ...previous].find((candidate) => idOf(candidate) === keyId)
    if (wrapper === undefined) throw wrongKey()
    const root = unwrapRoot(stored, wrapper)
    if (wrapper === current || (await meta.compareAndSet(ROOT, stored, wrapRoot(root, current))))
      return createKeyring(root)
  }
}

/** True for a store that was opened before; only its own secret key opens it. */
export async function hasRootKey(meta: MetaStore): Promise<boolean> {
  return (await meta.get(ROOT)) !== undefined
}

function secretBytes(text: string): Buffer {
  // Node ignores what is not base64, so that a damaged key would open nothing and a new store would be made with it.
  const isBase64 = /^[\w+/-]{43}=?$/.test(text.trim())
  const bytes = Buffer.from(text, 'base64')
  if (!isBase64 || bytes.length !== 32) {
    throw new PurserError('option_invalid', 'secretKey must be 32 bytes in base64.', {
      hint: 'Generate one with: openssl rand -base64 32',
    })
  }
  return bytes
}

function idOf(secret: Buffer): string {
  return createHash('sha256').update('purser key id').update(secret).digest('hex').slice(0, 16)
}

function wrapRoot(root: Buffer, secret: Buffer): string {
  return `${idOf(secret)}:${encrypt(root, wrappingKey(secret), [ROOT])}`
}

function unwrapRoot(stored: string, secret: Buffer): Buffer {
  try {
    return decrypt(stored.slice(stored.indexOf(':') + 1), wrappingKey(secret), [ROOT])
  } catch (cause) {
    throw wrongKey(cause)
  }
}

function wrappingKey(secret: Buffer): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, 'purser', 'wrapping', 32))
}

function wrongKey(cause?: unknown): PurserError {
  return new PurserError('secret_key_wrong', 'The secret key does not open this store.', {
    hint: 'Set secretKey.current, or one of secretKey.previous, to the key this store was created with.',
    cause,
  })
}
