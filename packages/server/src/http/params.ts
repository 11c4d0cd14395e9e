import type { FastifyRequest } from 'fastify'
import type { User } from 'purser'
import type { AppContext } from '../app/context.ts'

/** The user in the path of a management route. Throws `user_id_invalid`. */
export function getUser(request: FastifyRequest, context: AppContext): User {
  return context.purser.user(getParam(request, 'id'))
}

export function getParam(request: FastifyRequest, name: string): string {
  return (request.params as Readonly<Record<string, string>>)[name] ?? ''
}

export function getQuery(request: FastifyRequest): Readonly<Record<string, string | undefined>> {
  return request.query as Record<string, string | undefined>
}

/** The body as an object; `{}` without one. */
export function getBody(request: FastifyRequest): Readonly<Record<string, unknown>> {
  return (request.body ?? {}) as Record<string, unknown>
}

/** A query value that its schema has already checked to be a number. */
export function parseNumber(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text)
}
