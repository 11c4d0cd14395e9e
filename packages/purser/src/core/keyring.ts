import { hkdfSync } from 'node:crypto'
import { decrypt, encrypt, lengthPrefixed } from './aes-gcm.ts'
import { createMac, type MacEncoding } from './hmac.ts'
import type { Subject } from './subject.ts'

/**
 * One secret, many keys.
 *
 * The operator's secret key is never used directly. It wraps one random root key, which is stored wrapped; every
 * purpose gets its own key from the root by HKDF. So changing the secret key is one small write, and what must not
 * change with it (the event chain, pseudonyms, tickets) does not.
 */
export interface Keyring {
  /** HMAC-SHA-256 under the key of `purpose`, over parts that are length-prefixed so that they cannot run together. */
  mac(purpose: Purpose, parts: readonly (string | number)[], encoding?: MacEncoding): string
  /** 32 bytes for `purpose`. */
  key(purpose: Purpose): Buffer
  /** AES-256-GCM under the sealing key; `context` is authenticated and must be the same to open. */
  seal(plain: string, context: readonly string[]): string
  open(sealed: string, context: readonly string[]): string
}

/** The keyed hash that stands for a user where their id must not: after an erasure, and beside what is not sealed. */
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
