import { hkdfSync } from 'node:crypto'
import { decrypt, encrypt, lengthPrefixed } from './aes-gcm.ts'
import { createMac, type MacEncoding } from './hmac.ts'
import type { Subject } from './subject.ts'

/**
 * Keys for all purposes, derived from one root key.
 *
 * The operator's secret key only wraps the root key, which is random and stored wrapped; every purpose has a key of its
 * own, derived from the root key by HKDF. So rotating the secret key is one small write, and what must not change with it
 * (the event chain, pseudonyms, tickets) does not.
 */
export interface Keyring {
  /** HMAC-SHA-256 under the key of `purpose`. The parts are length-prefixed, so they cannot be confused. Base64url. */
  mac(purpose: Purpose, parts: readonly (string | number)[], encoding?: MacEncoding): string
  /** The 32-byte key of `purpose`. */
  key(purpose: Purpose): Buffer
  /** AES-256-GCM under the sealing key; `context` is associated data. */
  seal(plain: string, context: readonly string[]): string
  /** Throws unless the text was sealed by this keyring with the same `context`. */
  open(sealed: string, context: readonly string[]): string
}

/** The keyed hash that identifies a user where the id must not appear: after an erasure, and in unsealed data. */
export function tagOf(keys: Keyring, { namespace, id }: Subject): string {
  return keys.mac('identity', [namespace, id], 'hex')
}

export type Purpose = 'chain' | 'identity' | 'answers' | 'tickets' | 'sealing' | 'notes' | 'checkpoint' | 'states'

export function createKeyring(root: Buffer): Keyring {
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
