import { PROVIDER_KINDS, type ProviderConfig, type PurserOptions } from 'purser'
import {
  isSpec,
  OPTION_SPECS,
  type OptionSpec,
  PROVIDER_SPECS,
  type SpecTable,
  STORE_URL,
  STORE_URL_FORMS,
} from 'purser/internal'
import { z } from 'zod'
import { isHttpUrl, SERVER_SPECS, type ServerOptionInput } from './server-options.ts'

/** The content of a configuration file: the library's options and `server`. */
export interface ConfigFile
  extends Omit<PurserOptions, 'store' | 'effects' | 'providers' | 'runtime' | 'context' | 'ledger' | 'answers'> {
  readonly $schema?: string | undefined
  readonly store?: string | undefined
  readonly providers?: Record<string, ProviderConfig> | undefined
  readonly runtime?: Some<PurserOptions['runtime']> | undefined
  readonly context?: Some<PurserOptions['context']> | undefined
  readonly ledger?: Some<PurserOptions['ledger']> | undefined
  readonly answers?: Some<PurserOptions['answers']> | undefined
  readonly server?: ServerOptionInput | undefined
}

type Some<Options> = { readonly [Name in keyof NonNullable<Options>]?: NonNullable<Options>[Name] | undefined }

const nonEmpty = z.string().min(1, 'must not be empty')
const texts = z.record(z.string(), z.string())
const httpUrl = z.string().refine(isHttpUrl, 'must be an http or https URL')

const oauth = z.strictObject({
  redirectUrl: nonEmpty,
  clientId: nonEmpty.optional(),
  clientSecret: nonEmpty.optional(),
  scopes: z.array(nonEmpty).optional(),
  issuer: httpUrl.optional(),
})

const mcpServer = z.union([
  z.strictObject({ url: nonEmpty, headers: texts.optional(), oauth: oauth.optional() }),
  z.strictObject({ command: nonEmpty, args: z.array(z.string()).optional(), env: texts.optional() }),
])

const limit = z.strictObject({
  name: nonEmpty,
  measure: z.enum(['turns', 'tokens', 'inputTokens', 'outputTokens', 'cost', 'toolCalls', 'concurrent']),
  max: z.union([z.number(), z.string(), z.null()]),
  mode: z.enum(['enforce', 'observe']).optional(),
  window: nonEmpty.optional(),
  weekStart: z.enum(['monday', 'sunday']).optional(),
  models: z.array(nonEmpty).optional(),
  alertAt: z.array(z.number()).optional(),
  onLimit: z
    .union([z.literal('refuse'), z.strictObject({ provider: nonEmpty.optional(), model: nonEmpty })])
    .optional(),
})

const plan = z.strictObject({
  extends: nonEmpty.optional(),
  limits: z.array(limit).optional(),
  runtime: z.record(z.string(), z.unknown()).optional(),
})

const price = z.strictObject({
  input: nonEmpty,
  output: nonEmpty,
  cachedInput: nonEmpty.optional(),
  cacheWrite: nonEmpty.optional(),
  request: nonEmpty.optional(),
})

const provider = z.discriminatedUnion(
  'kind',
  PROVIDER_KINDS.map((kind) => z.strictObject({ kind: z.literal(kind), ...shapeOf(PROVIDER_SPECS[kind]) })) as [
    z.ZodObject<{ kind: z.ZodLiteral<ProviderConfig['kind']> }>,
  ],
  {
    error: ({ input }) =>
      typeof input === 'object' ? `must be one of ${PROVIDER_KINDS.join(', ')}` : 'must be an object',
  },
)

/** The library's options that a file can hold; `store` names a store, and `effects` are for programs. */
const { store: _store, effects: _effects, ...LIBRARY_SPECS } = OPTION_SPECS

/**
 * The schema of a configuration file, derived from the option tables of the library and the server. Unknown keys are
 * errors; null waives a limit. Every message reads on after the name of the option.
 */
export const configSchema: z.ZodType<ConfigFile> = z.strictObject({
  ...shapeOf(LIBRARY_SPECS as unknown as SpecTable),
  $schema: z.string().optional(),
  store: z.string().regex(STORE_URL, `must be ${STORE_URL_FORMS}`).optional(),
  secretKey: z
    .union([nonEmpty, z.strictObject({ current: nonEmpty, previous: z.array(nonEmpty).optional() })])
    .optional(),
  providers: z.record(z.string(), provider).optional(),
  mcpServers: z.record(z.string(), mcpServer).optional(),
  presets: z.record(z.string(), z.record(z.string(), z.unknown())).optional(),
  plans: z.record(z.string(), plan).optional(),
  prices: z.record(z.string(), price).optional(),
  ledger: z
    .strictObject({ ...shapeOf(LIBRARY_SPECS.ledger as unknown as SpecTable), limits: z.array(limit).optional() })
    .optional(),
  server: z.strictObject(shapeOf(SERVER_SPECS as unknown as SpecTable)).optional(),
}) as z.ZodType<ConfigFile>

function shapeOf(specs: SpecTable): Record<string, z.ZodType> {
  const shape = Object.entries(specs).map(([name, spec]) => [name, schemaOf(spec).optional()])
  return Object.fromEntries(shape) as Record<string, z.ZodType>
}

function schemaOf(spec: OptionSpec | SpecTable): z.ZodType {
  if (!isSpec(spec)) return z.strictObject(shapeOf(spec))
  const schema = valueSchema(spec).refine((value) => value === null || spec.isValid(value), `must be ${spec.expected}`)
  const described = schema.describe(`Must be ${spec.expected}.`)
  return spec.unlimited === undefined ? described : described.nullable()
}

/** The type of a value; its bounds are checked by the spec itself, and stated here for the JSON Schema. */
function valueSchema(spec: OptionSpec): z.ZodType {
  const error = `must be ${spec.expected}`
  switch (spec.kind) {
    case 'duration':
      return z.number({ error }).min(0, error)
    case 'integer':
      return z.int({ error }).min(spec.min ?? 0, error)
    case 'boolean':
      return z.boolean({ error })
    case 'choice':
      return z.enum([...(spec.choices ?? [])], { error })
    case 'labels':
      return z.array(z.string(), { error })
    case 'list':
      return z.array(z.unknown(), { error })
    case 'object':
      return z.record(z.string(), z.unknown(), { error })
    case 'text':
      return z.string({ error })
    case 'custom':
      return z.union([z.boolean(), z.string(), z.array(z.string())], { error })
  }
}
