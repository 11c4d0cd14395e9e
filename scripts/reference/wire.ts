// The types of the management API for the Deck, generated from the API document of the server.

import { type Content, type Operation, readApiDocument, type Schema } from './api-document.ts'

/** The text of `packages/deck/src/api/wire.ts`. */
export async function wireTypes(): Promise<string> {
  const { paths, components } = await readApiDocument()
  const schemas = Object.entries(components.schemas).sort(([a], [b]) => (a < b ? -1 : 1))
  const routes = Object.entries(paths)
    .filter(([path]) => path.startsWith('/api/'))
    .flatMap(([path, operations]) =>
      Object.entries(operations).map(([method, operation]) => routeOf(`${method.toUpperCase()} ${path}`, operation)),
    )
  return [
    '// Generated from the API document by `npm run reference`. Do not edit.\n',
    ...schemas.map(([name, schema]) => `export interface ${name} ${typeOf(schema)}\n`),
    '/** Query, body and response of every route of the management API. */',
    `export interface Routes {\n${routes.toSorted().join('\n')}\n}\n`,
  ].join('\n')
}

function routeOf(name: string, { parameters = [], requestBody, responses }: Operation): string {
  const query = parameters.filter((parameter) => parameter.in === 'query')
  const queryType = objectType(
    query.map(({ name: field, schema }) => `readonly ${quoted(field)}?: ${typeOf(schema)} | undefined`),
  )
  const body = requestBody === undefined ? 'undefined' : contentType(requestBody)
  const parts = [
    `readonly query: ${queryType}`,
    `readonly body: ${body}`,
    `readonly response: ${contentType(responses['2XX'] ?? {})}`,
  ]
  return indent(`'${name}': ${objectType(parts)}`)
}

function contentType({ content }: Content): string {
  const schema = content?.['application/json']?.schema
  return schema === undefined ? 'unknown' : typeOf(schema)
}

function typeOf(schema: Schema): string {
  if (schema.$ref !== undefined) return schema.$ref.slice(schema.$ref.lastIndexOf('/') + 1)
  if (schema.enum !== undefined) return schema.enum.map((value) => `'${value}'`).join(' | ')
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeOf).join(' | ')
  const types = schema.type === undefined ? [] : [schema.type].flat()
  return types.length === 0 ? 'unknown' : types.map((type) => typeOfOne(type, schema)).join(' | ')
}

function typeOfOne(type: string, schema: Schema): string {
  switch (type) {
    case 'array':
      return arrayTypeOf(typeOf(schema.items ?? {}))
    case 'object':
      return objectTypeOf(schema)
    case 'integer':
      return 'number'
    default:
      return type
  }
}

function arrayTypeOf(item: string): string {
  return item.includes(' ') ? `readonly (${item})[]` : `readonly ${item}[]`
}

function objectTypeOf({ properties = {}, required = [], additionalProperties }: Schema): string {
  const fields = Object.entries(properties).map(([name, schema]) =>
    required.includes(name)
      ? `readonly ${quoted(name)}: ${typeOf(schema)}`
      : `readonly ${quoted(name)}?: ${typeOf(schema)} | undefined`,
  )
  if (fields.length > 0 || additionalProperties === undefined || additionalProperties === false) {
    return objectType(fields)
  }
  const value = additionalProperties === true ? 'unknown' : typeOf(additionalProperties)
  return `Readonly<Record<string, ${value}>>`
}

function objectType(fields: readonly string[]): string {
  if (fields.length === 0) return 'Readonly<Record<string, never>>'
  return `{\n${fields.map((field) => indent(field)).join('\n')}\n}`
}

function indent(text: string): string {
  return text.replace(/^/gm, '  ')
}

/** The name of a field, in quotes where it is not an identifier. */
function quoted(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : `'${name}'`
}
