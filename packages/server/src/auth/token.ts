import { hash, randomBytes, timingSafeEqual } from 'node:crypto'

/** 256 random bits behind a prefix that tells people and secret scanners what they have found. */
export function newToken(kind: string): string {
  return `purser_${kind}_${randomBytes(32).toString('base64url')}`
}

/**
 * What is stored of a token. A token has as much entropy as the hash, so a slow hash would protect nothing; looking up
 * by hash also means that how long a comparison takes tells nothing about the token.
 */
export function hashOf(token: string): string {
  return hash('sha256', token, 'base64url')
}

export function sameHash(a: string, b: string): boolean {
  const left = Buffer.from(a)
  const right = Buffer.from(b)
  return left.length === right.length && timingSafeEqual(left, right)
}
