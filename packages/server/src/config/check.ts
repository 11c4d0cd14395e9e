import { PurserError, suggestion } from 'purser'
import type { z } from 'zod'
import { type ConfigFile, configSchema } from './schema.ts'

/** One validation error of a configuration. */
export interface ConfigIssue {
  readonly path: string
  /** Reads after the path. */
  readonly message: string
  readonly hint?: string
}

/**
 * Validates a configuration against the schema. Throws `option_unknown` when all issues are unknown keys, else
 * `option_invalid`, with every issue in the message and in `details.issues`. `origin` is the subject of the message.
 */
export function checkConfig(value: unknown, origin: string): ConfigFile {
  const parsed = configSchema.safeParse(value)
  if (parsed.success) return parsed.data
  const issues = parsed.error.issues.flatMap((issue) => toConfigIssues(issue, value))
  const hasOnlyUnknownKeys = parsed.error.issues.every((issue) => issue.code === 'unrecognized_keys')
  const lines = issues.map(({ path, message, hint }) => `${path || 'value'}: ${message}${hint ? ` ${hint}` : ''}`)
  throw new PurserError(
    hasOnlyUnknownKeys ? 'option_unknown' : 'option_invalid',
    `${origin} is not valid. ${lines.join('; ')}`,
    { hint: issues[0]?.hint ?? 'docs/reference/options.md lists all options.', details: { issues } },
  )
}

function toConfigIssues(issue: z.core.$ZodIssue, value: unknown, base: readonly PropertyKey[] = []): ConfigIssue[] {
  const path = [...base, ...issue.path]
  if (issue.code === 'unrecognized_keys') {
    const known = getKeysAt(path, value)
    return issue.keys.map((key) => ({
      path: [...path, key].join('.'),
      message: 'unknown option.',
      hint: suggestion(key, known) || `Valid options: ${known.join(', ')}.`,
    }))
  }
  if (issue.code === 'invalid_union') {
    // The alternative with the fewest errors is the one that was probably meant.
    const closest = issue.errors.toSorted((a, b) => a.length - b.length)[0] ?? []
    if (closest.length > 0) return closest.flatMap((inner) => toConfigIssues(inner, value, path))
  }
  return [{ path: path.join('.'), message: issue.message }]
}

/** The keys that the schema allows in the object at `path`; where the kind of the object decides, those of its kind. */
function getKeysAt(path: readonly PropertyKey[], value: unknown): string[] {
  let schema: unknown = configSchema
  let object: unknown = value
  for (const key of path) {
    schema = getMember(unwrap(schema), key)
    object = (object as Record<PropertyKey, unknown>)[key]
  }
  const { shape = {}, options = [] } = (unwrap(schema) ?? {}) as ObjectSchema & { options?: readonly ObjectSchema[] }
  const { kind } = object as { readonly kind?: unknown }
  const ofKind = options.filter((option) => option.shape?.kind?.value === kind)
  return [shape, ...ofKind.map((option) => option.shape ?? {})].flatMap((one) => Object.keys(one))
}

interface ObjectSchema {
  readonly shape?: Readonly<Record<string, { readonly value?: unknown } | undefined>>
}

function unwrap(schema: unknown): unknown {
  const wrapper = schema as { unwrap?: () => unknown; shape?: unknown } | undefined
  return wrapper !== undefined && typeof wrapper.unwrap === 'function' ? unwrap(wrapper.unwrap()) : schema
}

function getMember(schema: unknown, key: PropertyKey): unknown {
  const { shape, valueType } = (schema ?? {}) as { shape?: Record<PropertyKey, unknown>; valueType?: unknown }
  return shape?.[key] ?? valueType
}
