// docs/reference/http.md: every route of the API document.

import { type Content, type Operation, readApiDocument, type Schema } from './api-document.ts'

/** The sections of the page: tags of routes, in their order. */
const SECTIONS: readonly (readonly [tag: string, title: string])[] = [
  ['gateway', 'Gateway'],
  ['users', 'Users'],
  ['ledger', 'Ledger'],
  ['limits', 'Limits and plans'],
  ['turns', 'Turns and usage'],
  ['runtime', 'Runtime'],
  ['context', 'Context'],
  ['answers', 'Answers'],
  ['events', 'Events'],
  ['audit', 'Audit'],
  ['webhooks', 'Webhooks'],
  ['keys', 'Keys'],
  ['session', 'Sessions of the Deck'],
  ['service', 'Service'],
  ['deck', 'Deck'],
]

const HEAD = `# HTTP

Every route of the server, generated from its API document. A running server has the same as OpenAPI 3.1, with all schemas:
\`GET /openapi.json\`. The gateway is described in its [guide](../guides/gateway.md), roles, errors, idempotency and live events in
[server](server.md), headers in [headers](headers.md).

A list is \`{ "data": […], "cursor": … }\`; a field with \`?\` may be absent. A scope is a set of [roles](server.md#keys-and-roles).
`

interface Route {
  readonly name: string
  readonly operation: Operation
}

export async function httpPage(): Promise<string> {
  const { paths } = await readApiDocument({ keepResponses: { ttlMs: 60_000, maxPerUser: 1 } })
  const routes = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(
      ([method, operation]): Route => ({ name: `${method.toUpperCase()} ${path}`, operation }),
    ),
  )
  const unlisted = routes.filter(({ operation }) => !SECTIONS.some(([tag]) => operation.tags.includes(tag)))
  if (unlisted.length > 0) throw new Error(`No section for the tag of ${unlisted[0]?.name}.`)
  const sections = SECTIONS.map(([tag, title]) => {
    const rows = routes.filter(({ operation }) => operation.tags.includes(tag)).map(rowOf)
    return [`## ${title}\n`, '| route | scope | query, body | answer | |', '|---|---|---|---|---|', ...rows, ''].join(
      '\n',
    )
  })
  return [HEAD, ...sections].join('\n')
}

function rowOf({ name, operation }: Route): string {
  const { summary, description, parameters = [], requestBody, responses } = operation
  const scope = description.replace(/^Scope: (.+)\.$/, '$1')
  const query = parameters.filter((parameter) => parameter.in === 'query').map((parameter) => `\`?${parameter.name}\``)
  const body = requestBody === undefined ? [] : [bodyOf(requestBody)]
  return `| \`${name}\` | \`${scope}\` | ${[...query, ...body].join(' ')} | ${answerOf(responses['2XX'] ?? {})} | ${summary} |`
}

function bodyOf(body: Content): string {
  const schema = schemaOf(body)
  const fields = Object.keys(schema?.properties ?? {}).map((field) =>
    schema?.required?.includes(field) ? field : `${field}?`,
  )
  return fields.length === 0 ? 'JSON' : `\`{ ${fields.join(', ')} }\``
}

function answerOf(answer: Content): string {
  const type = Object.keys(answer.content ?? {})[0] ?? ''
  if (type !== '' && type !== 'application/json') return `\`${type}\``
  const schema = schemaOf(answer)
  const item = schema?.properties?.data?.items
  if (item !== undefined) return item.$ref === undefined ? 'a list' : `a list of \`${nameOf(item)}\``
  return schema?.$ref === undefined ? '' : `\`${nameOf(schema)}\``
}

function schemaOf({ content }: Content): Schema | undefined {
  return Object.values(content ?? {})[0]?.schema
}

function nameOf({ $ref = '' }: Schema): string {
  return $ref.slice($ref.lastIndexOf('/') + 1)
}
