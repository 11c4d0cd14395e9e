import { type ConfigFile, createServer } from '../../packages/server/src/index.ts'

/** The part of a JSON schema that the document uses. */
export interface Schema {
  readonly $ref?: string
  readonly type?: string | readonly string[]
  readonly enum?: readonly string[]
  readonly anyOf?: readonly Schema[]
  readonly items?: Schema
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | Schema
}

export interface Content {
  readonly content?: Readonly<Record<string, { readonly schema?: Schema }>>
}

export interface Operation {
  readonly tags: readonly string[]
  readonly summary: string
  readonly description: string
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly schema: Schema }[]
  readonly requestBody?: Content & { readonly required?: boolean }
  readonly responses: Readonly<Record<string, Content>>
}

export interface ApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> }
}

/** `GET /openapi.json` of a server with this configuration. */
export async function readApiDocument(server: ConfigFile['server'] = {}): Promise<ApiDocument> {
  await using running = await createServer({ config: { store: 'memory:', server: { logLevel: 'silent', ...server } } })
  const response = await running.fetch(new Request('http://localhost/openapi.json'))
  return (await response.json()) as ApiDocument
}
