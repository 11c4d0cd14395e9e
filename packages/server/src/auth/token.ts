import { hash, randomBytes } from 'node:crypto'

/** 256 random bits behind a prefix that readers and secret scanners recognize. */
export function createToken(kind: string): string {
  return `purser_${kind}_${randomBytes(32).toString('base64url')}`
}

/**
 * The stored form of a token. A token has 256 bits of entropy, so a slow password hash would add nothing. Tokens are
 * looked up by hash, so the duration of a lookup reveals nothing about the token.
 */
export function hashToken(token: string): string {
  return hash('sha256', token, 'base64url')
}
