import type { FastifyRequest } from 'fastify'
import { PurserError } from 'purser'
import { isObject, type UserField } from 'purser/internal'

export type Fields = Readonly<Record<string, unknown>>

/** The JSON object of a request; throws `request_invalid` without one, or if `model` is no text. */
export function parseBody({ body }: Pick<FastifyRequest, 'body'>): Fields {
  if (!isObject(body)) throw new PurserError('request_invalid', 'The request must be a JSON object.')
  modelOf(body)
  return body
}

/** The requested model; undefined for the model of the user's settings. */
export function modelOf({ model }: Fields): string | undefined {
  if (model === undefined || model === null) return undefined
  if (typeof model === 'string' && model !== '') return model
  throw new PurserError('request_invalid', "'model' must be text of at least one character.", {
    details: { param: 'model' },
  })
}

/** Removes the fields that identify a user, and sets `field` to the pseudonym. */
export function replaceUser(body: Fields, { field, id }: { readonly field: UserField; readonly id: string }): Fields {
  const { user: _user, safety_identifier: _identifier, metadata, ...rest } = body
  const namesUser = isObject(metadata) && metadata.user_id !== undefined
  const { user_id: _id, ...others } = isObject(metadata) ? metadata : {}
  const isEmpty = metadata === undefined || (namesUser && Object.keys(others).length === 0)
  return {
    ...rest,
    ...(isEmpty ? {} : { metadata: namesUser ? others : metadata }),
    ...(field === 'none' ? {} : { [field]: id }),
  }
}

/** Adds parameters under the names that the endpoint has for them, where the request does not set them. */
export function addParameters(
  body: Fields,
  parameters: Readonly<Record<string, unknown>>,
  names: Readonly<Record<string, string>>,
): Fields {
  const added: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(parameters)) {
    const field = Object.hasOwn(names, name) ? names[name] : undefined
    const isMissing = field !== undefined && (body[field] ?? undefined) === undefined
    if (isMissing && value !== undefined && value !== null) added[field] = value
  }
  return { ...body, ...added }
}
