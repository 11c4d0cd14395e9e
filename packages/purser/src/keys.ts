import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto'
import { PurserError } from './errors.ts'
import { createMac, type MacEncoding } from './hmac.ts'
import type { Subject } from './identity.ts'
import type { MetaStore } from './store.ts'

/**
 * One secret, many keys.
 *
 * The operator's secret key is never used directly. It wraps one random root key, which is stored wrapped; every
 * purpose gets its own key from the root by HKDF. So changing the secret key is one small write, and what must not
 * change with it (the event chain, pseudonyms, tickets) does not.
 */
export interface Keys {
  /** HMAC-SHA-256 under the key of `purpose`, over parts that are length-prefixed so that they cannot run together. */
  mac(purpose: Purpose, parts: readonly (string | number)[], encoding?: MacEncoding): string
  /** 32 bytes for `purpose`. */
  key(purpose: Purpose): Buffer
  /** AES-256-GCM under the sealing key; `context` is authenticated and must be the same to open. */
  seal(plain: string, context: readonly string[]): string
  open(sealed: string, context: readonly string[]): string
}

/** The keyed hash that stands for a user where their id must not: after an erasure, and beside what is not sealed. */
export function tagOf(keys: Keys, { namespace, id }: Subject): string {
  return keys.mac('identity', [namespace, id], 'hex')
}

export type Purpose = 'chain' | 'identity' | 'answers' | 'tickets' | 'sealing' | 'notes' | 'checkpoint' | 'states'

export interface SecretKeys {
  /** 32 bytes, base64. */
  readonly current: string
  /** Earlier secret keys that may still have wrapped the root key. */
  readonly previous: readonly string[]
}

const ROOT = 'root-key'

/** Opens the store's root key, or makes one when the store is new. Wraps it anew when the secret key has changed. */
export async function openKeys(meta: MetaStore, secret: SecretKeys): Promise<Keys> {
  const current = secretBytes(secret.current)
  const previous = secret.previous.map(secretBytes)
  for (;;) {
    const stored = await meta.get(ROOT)
    if (stored === undefined) {
      const root = randomBytes(32)
      if (await meta.compareAndSet(ROOT, undefined, wrapRoot(root, current))) return createKeys(root)
      continue
    }
    const keyId = stored.slice(0, stored.indexOf(':'))
    const wrapper = [current, ...previous].find((candidate) => idOf(candidate) === keyId)
    if (wrapper === undefined) throw wrongKey()
    const root = unwrapRoot(stored, wrapper)
    if (wrapper === current || (await meta.compareAndSet(ROOT, stored, wrapRoot(root, current))))
      return createKeys(root)
  }
}

/** Whether this store was opened before: then only its own secret key opens it. */
export async function holdsRootKey(meta: MetaStore): Promise<boolean> {
  return (await meta.get(ROOT)) !== undefined
}

export function createKeys(root: Buffer): Keys {
  const derived = new Map<Purpose, Buffer>()
  const macs = new Map<Purpose, ReturnType<typeof createMac>>()
  const key = (purpose: Purpose): Buffer => {
    let bytes = derived.get(purpose)
    if (bytes === undefined) {
      bytes = Buffer.from(hkdfSync('sha256', root, 'purser', purpose, 32))
      derived.set(purpose, bytes)
    }
    return bytes
  }
  return {
    key,
    mac(purpose, parts, encoding = 'base64url') {
      let mac = macs.get(purpose)
      if (mac === undefined) {
        mac = createMac(key(purpose))
        macs.set(purpose, mac)
      }
      return mac(lengthPrefixed(parts), encoding)
    },
    seal: (plain, context) => encrypt(Buffer.from(plain), key('sealing'), context),
    open: (sealed, context) => decrypt(sealed, key('sealing'), context).toString(),
  }
}

/** `["ab","c"]` and `["a","bc"]` must not be the same bytes: each part says how long it is. */
export function lengthPrefixed(parts: readonly (string | number)[]): string {
  let text = ''
  for (const part of parts) {
    const value = String(part)
    text += `${value.length}:${value}`
  }
  return text
}

function secretBytes(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64')
  if (bytes.length !== 32) {
    throw new PurserError('option_invalid', 'secretKey is not 32 bytes in base64.', {
      hint: 'Make one with: openssl rand -base64 32',
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
    hint: 'Give the key this store was made with as secretKey.current, or as one of secretKey.previous.',
    cause,
  })
}

function encrypt(plain: Buffer, key: Buffer, context: readonly string[]): string {
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(lengthPrefixed(context)))
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]).toString('base64url')
}

function decrypt(sealed: string, key: Buffer, context: readonly string[]): Buffer {
  const bytes = Buffer.from(sealed, 'base64url')
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12), { authTagLength: 16 })
    .setAAD(Buffer.from(lengthPrefixed(context)))
    .setAuthTag(bytes.subarray(-16))
  return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()])
}
