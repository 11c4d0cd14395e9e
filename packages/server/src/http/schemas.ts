/** A JSON schema, as far as routes need it. */
export type Schema = Readonly<Record<string, unknown>>

export const TEXT: Schema = { type: 'string' }
const INSTANT: Schema = { ...TEXT, description: 'An instant, `2026-11-29T12:00:00Z`.' }
/** The ends of a period. */
export const PERIOD: Readonly<Record<string, Schema>> = {
  from: INSTANT,
  to: { ...INSTANT, description: 'The first instant that is excluded.' },
}
export const ANY_OBJECT: Schema = { type: 'object', additionalProperties: true }
/** For values that the library validates with an error code of its own: caps, notes, time zones, detections. */
export const ANY_VALUE: Schema = {}

/** Query values are strings and nothing is coerced, so numbers are patterns; `parseNumber` converts them. */
export const INTEGER: Schema = { type: 'string', pattern: '^\\d{1,15}$' }
export const DECIMAL: Schema = { type: 'string', pattern: '^\\d{1,15}(\\.\\d{1,6})?$' }
export const FLAG: Schema = { type: 'string', enum: ['true', 'false'] }

export function objectSchema(properties: Readonly<Record<string, Schema>>, required: readonly string[] = []): Schema {
  return { type: 'object', properties, required, additionalProperties: false }
}

/** An object body that may be absent. */
export function optionalObjectSchema(properties: Readonly<Record<string, Schema>>): Schema {
  return { type: ['object', 'null'], properties, additionalProperties: false }
}

/** The body of a route that reads none. */
export const NO_BODY: Schema = optionalObjectSchema({})

/** A response that is a list: `{ data, cursor }`. */
export function listSchema(description: string, items: Schema = {}): Schema {
  return {
    description,
    type: 'object',
    properties: { data: { type: 'array', items }, cursor: { type: ['string', 'null'] } },
    required: ['data', 'cursor'],
  }
}

/** A response that is not JSON. */
export function textSchema(mediaType: string, description: string): Schema {
  return { description, content: { [mediaType]: { schema: TEXT } } }
}
