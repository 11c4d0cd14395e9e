import { PurserError, suggestion } from 'purser'
import type { z } from 'zod'
import { type ConfigFile, configSchema } from './schema.ts'

/** One thing that is wrong with a configuration, fit for people and programs. */
export interface ConfigIssue {
  readonly path: string
  readonly message: string
  readonly hint?: string
}

/** Checks a configuration against the schema. Throws `option_unknown` or `option_invalid` with every issue at once. */
export function checkConfig(value: unknown, origin: string): ConfigFile {
  const parsed = configSchema.safeParse(value)
  if (parsed.success) return parsed.data
  const issues = parsed.error.issues.flatMap((issue) => issuesOf(issue))
  const unknown = parsed.error.issues.every((issue) => issue.code === 'unrecognized_keys')
  const lines = issues.map(({ path, message, hint }) => `${path || 'the whole'}: ${message}${hint ? ` ${hint}` : ''}`)
  throw new PurserError(unknown ? 'option_unknown' : 'option_invalid', `${origin} is not valid. ${lines.join('; ')}`, {
    hint: issues[0]?.hint ?? 'See docs/reference/options.md for every option.',
    details: { issues },
  })
}

function issuesOf(issue: z.core.$ZodIssue, base: readonly PropertyKey[] = []): ConfigIssue[] {
  const path = [...base, ...issue.path]
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(path)
    return issue.keys.map((key) => ({
      path: [...path, key].join('.'),
      message: 'is not an option.',
      hint: suggestion(key, known) || `Known here: ${known.join(', ')}.`,
    }))
  }
  if (issue.code === 'invalid_union') {
    // Of the alternatives the one that fits best is the one with the fewest complaints.
    const best = issue.errors.toSorted((a, b) => a.length - b.length)[0] ?? []
    if (best.length > 0) return best.flatMap((inner) => issuesOf(inner, path))
  }
  return [{ path: path.join('.'), message: issue.message }]
}

/** The names an object may have at `path` of the schema. */
function keysAt(path: readonly PropertyKey[]): string[] {
  let schema: unknown = configSchema
  for (const step of path) schema = inside(bare(schema), step)
  const found = bare(schema) as { shape?: Record<string, unknown>; options?: { shape?: Record<string, unknown> }[] }
  if (found?.options) return found.options.flatMap((option) => Object.keys(option.shape ?? {}))
  return Object.keys(found?.shape ?? {})
}

function bare(schema: unknown): unknown {
  const wrapper = schema as { unwrap?: () => unknown; shape?: unknown } | undefined
  return wrapper !== undefined && typeof wrapper.unwrap === 'function' ? bare(wrapper.unwrap()) : schema
}

function inside(schema: unknown, step: PropertyKey): unknown {
  const { shape, valueType } = (schema ?? {}) as { shape?: Record<PropertyKey, unknown>; valueType?: unknown }
  return shape?.[step] ?? valueType
}
