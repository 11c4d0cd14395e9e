import type { FastifyReply, FastifyRequest } from 'fastify'
import { PurserError, type User } from 'purser'
import { HttpError } from '../app/errors.ts'

/** Sets the ETag of a response and returns its body. */
export function sendWithEtag<Body>(reply: FastifyReply, etag: string, body: Body): Body {
  reply.header('etag', etag)
  return body
}

/** Sends a value with its version as the ETag. */
export function sendVersioned<Body extends { readonly version: number }>(reply: FastifyReply, body: Body): Body {
  return sendWithEtag(reply, `"${body.version}"`, body)
}

/** The `If-Match` header; undefined without one and for `*`. */
export function getIfMatch(request: FastifyRequest): string | undefined {
  const tag = request.headers['if-match']?.trim()
  return tag === '*' ? undefined : tag
}

/** The version in `If-Match`; undefined without one. Throws 412 for a tag that is not a version. */
export function parseIfMatch(request: FastifyRequest): number | undefined {
  const tag = getIfMatch(request)
  if (tag === undefined) return undefined
  const version = /^(?:W\/)?"(\d+)"$/.exec(tag)?.[1]
  if (version === undefined) throw preconditionFailed('If-Match is not a version of this resource.')
  return Number(version)
}

/** Checks `If-Match` against the bond, for calls that take no expected version themselves. Throws 412. */
export async function requireMatchingBond(request: FastifyRequest, user: User): Promise<void> {
  const expected = parseIfMatch(request)
  if (expected === undefined) return
  const { version } = await user.ledger.bond()
  if (version !== expected) throw preconditionFailed(`The user is at version ${version}, not ${expected}.`)
}

/** Runs a change that passes the version of `If-Match` to the library; a version conflict then becomes 412. */
export async function withPrecondition<Value>(request: FastifyRequest, change: () => Promise<Value>): Promise<Value> {
  try {
    return await change()
  } catch (error) {
    if (getIfMatch(request) === undefined || !PurserError.is(error, 'version_conflict')) throw error
    throw preconditionFailed(error.message)
  }
}

function preconditionFailed(message: string): HttpError {
  return new HttpError(412, 'version_conflict', message, { hint: 'Read the current version and try again.' })
}
